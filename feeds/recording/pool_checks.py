"""Checks the pools of a market recording: decodes, slot order, and swaps quoted again.

Every account heard or read is decoded with the feed's own codecs and must be what belongs
there; slots of one account on one endpoint may step back by a fork, never further. Where two
consecutive settled states of a pool differ by exactly one swap, that swap is quoted on the
first and must give the second to the last digit (fees, growth and price included). Changes
that one swap does not explain (several swaps in a slot, liquidity moved, an adaptive fee,
whose block time no account tells) are counted as unexplained, not as wrong. Called by
`verify_quotes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.golden import Note
from feeds.market import clmm
from feeds.market.pools import Pool, Swap, Whirlpool
from feeds.market.quote import quote
from feeds.recording.format import GAP, Record
from feeds.recording.market import (
    RPC_REPLY,
    SOCKET_OPENED,
    SOLANA_FRAME,
    SUBSCRIBED,
    MarketDescription,
    RecordedPool,
    Subscribed,
)
from feeds.recording.reader import Recording
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.accounts import RawAccount
from feeds.venues.solana.pool_accounts import PoolAccounts, accounts_of
from feeds.venues.solana.pool_view import PoolView, differs, parts_of
from feeds.venues.solana.programs import ProgramIds

FORK_SLOTS = 64
_MOST_RAW = 1 << 64


class RecordedPoolsReport(msgspec.Struct):
    """What was found, endpoint by endpoint: changes = requoted + unexplained."""

    pools: int = 0
    reads: int = 0
    notices: int = 0
    states: int = 0
    changes: int = 0
    requoted: int = 0
    unexplained: int = 0
    forks: int = 0
    wrong: list[str] = []


class _Request(msgspec.Struct):
    method: str
    params: list[Any]


class _Heard:
    """One pool: its account set, and per endpoint a view and the newest settled state."""

    def __init__(self, pool: RecordedPool) -> None:
        self.pool = pool
        self.accounts: PoolAccounts | None = None
        self.views: dict[int, PoolView] = {}
        self.settled: dict[int, Pool] = {}


class RecordedPools:
    """Takes records in order and follows every pool as the feed does, endpoint by endpoint."""

    def __init__(self, description: MarketDescription, note: Note) -> None:
        self.report = RecordedPoolsReport(pools=len(description.pools))
        self._note = note
        self._ids = ProgramIds(**description.programs)
        self._pools = {pool.address: _Heard(pool) for pool in description.pools}
        self._targets: dict[tuple[int, int], str] = {}
        self._slots: dict[tuple[int, str], int] = {}

    def take(self, record: Record) -> None:
        """Judge one record; frames of other kinds are passed over."""
        try:
            if record.kind == SUBSCRIBED:
                told = msgspec.json.decode(record.payload, type=Subscribed)
                self._targets[record.source, told.subscription] = told.target
            elif record.kind in (SOCKET_OPENED, GAP):
                self._forget(record)
            elif record.kind == SOLANA_FRAME:
                self._take_frame(record)
            elif record.kind == RPC_REPLY:
                self._take_reply(record)
        except FeedCorrupt as error:
            self._wrong(record, str(error))

    def _forget(self, record: Record) -> None:
        """What was heard before is not complete any more."""
        for heard in self._pools.values():
            if record.kind == GAP:
                heard.views.clear()
                heard.settled.clear()
            heard.views.pop(record.source, None)
            heard.settled.pop(record.source, None)
        for key in [key for key in self._slots if key[0] == record.source]:
            del self._slots[key]

    # ---- notifications --------------------------------------------------------------

    def _take_frame(self, record: Record) -> None:
        frame = rpc_wire.frame(record.payload)
        if frame.method != "accountNotification":
            return
        notice = rpc_wire.notification(frame.params)
        address = self._targets.get((record.source, notice.subscription), "")
        if not address:
            return
        result = rpc_wire.account_result(notice.result)
        account = rpc_wire.raw_account(address, result.value)
        self.report.notices += 1
        self._check_order(record, address, result.context.slot)
        for heard in self._pools.values():
            view = heard.views.get(record.source)
            if view is not None and address in view.accounts.watched:
                state = view.take_notice(address, account, result.context.slot)
                if state is not None:
                    self._settle(heard, state, record.source)

    def _check_order(self, record: Record, address: str, slot: int) -> None:
        key = (record.source, address)
        last = self._slots.get(key, slot)
        if slot < last:
            self.report.forks += 1
            if last - slot > FORK_SLOTS:
                self._wrong(record, f"{address} went from slot {last} back to {slot}")
        self._slots[key] = slot

    # ---- reads ----------------------------------------------------------------------

    def _take_reply(self, record: Record) -> None:
        request_text, _, body = record.payload.partition(b"\n")
        request = rpc_wire.typed(request_text, _Request, "request")
        if request.method != "getMultipleAccounts":
            return
        frame = rpc_wire.frame(body)
        if frame.error is not None or not bytes(frame.result):
            return
        result = rpc_wire.typed(frame.result, rpc_wire.AccountsResult, "getMultipleAccounts")
        addresses = request.params[0]
        if len(addresses) != len(result.value):
            raise FeedCorrupt(f"{len(result.value)} accounts for {len(addresses)} addresses")
        self.report.reads += 1
        found = {
            address: rpc_wire.raw_account(address, value)
            for address, value in zip(addresses, result.value, strict=True)
        }
        for address, heard in self._pools.items():
            if address in found:
                self._take_read(heard, found, result.context.slot, record.source)

    def _take_read(
        self, heard: _Heard, found: dict[str, RawAccount | None], slot: int, source: int
    ) -> None:
        address, kind = heard.pool.address, heard.pool.kind
        # The window of a Whirlpool moves with its price: learn the set from each read.
        accounts = accounts_of(kind, address, found[address], self._ids)  # type: ignore[arg-type]
        held = heard.accounts
        if held is not None and _has_all(held, found):
            accounts = held
        elif not _has_all(accounts, found):
            return
        heard.accounts = accounts
        parts = parts_of(accounts, found)
        state = accounts.assemble(parts, slot=slot)
        view = heard.views.setdefault(source, PoolView(accounts))
        settled = view.take_read(accounts, parts, state)
        if settled is not None:
            self._settle(heard, settled, source)
        moved = accounts.moved(state)
        if moved is not None:
            heard.accounts = moved

    # ---- states ---------------------------------------------------------------------

    def _settle(self, heard: _Heard, state: Pool, source: int) -> None:
        """Take a state that stands; quote the change from the one before when it is news."""
        before = heard.settled.get(source)
        if before is not None and state.slot < before.slot:
            return
        heard.settled[source] = state
        self.report.states += 1
        if before is None or not differs(before, state):
            return
        self.report.changes += 1
        if _is_one_swap(before, state):
            self.report.requoted += 1
        else:
            self.report.unexplained += 1

    def _wrong(self, record: Record, text: str) -> None:
        self.report.wrong.append(text[:120])
        self._note(f"at {record.at_ns} ns: {text}")


def verify_recorded_pools(
    recording: Recording, *, note: Note, progress: Callable[[int], None] | None = None
) -> RecordedPoolsReport:
    """Check one run; FeedCorrupt when its files contradict their own checksums."""
    recording.verify()
    description = msgspec.json.decode(recording.header.content, type=MarketDescription)
    pools = RecordedPools(description, note)
    for number, record in enumerate(recording.records()):
        pools.take(record)
        if progress is not None:
            progress(number)
    return pools.report


def _has_all(accounts: PoolAccounts, found: Iterable[str]) -> bool:
    return set(found) >= {*accounts.watched, *accounts.checked}


def _is_one_swap(before: Pool, after: Pool) -> bool:
    """Whether one swap turns the first state into the second, exactly."""
    if isinstance(before, Whirlpool):
        return isinstance(after, Whirlpool) and _is_one_whirlpool_swap(before, after)
    if type(after) is not type(before):
        return False
    in_a = after.vault_a_raw - before.vault_a_raw
    in_b = after.vault_b_raw - before.vault_b_raw
    if in_a * in_b >= 0:
        return False
    paid, got, a_to_b = (in_a, -in_b, True) if in_a > 0 else (in_b, -in_a, False)
    answers = (
        quote(before, paid, exact_in=True, a_to_b=a_to_b),
        quote(before, got, exact_in=False, a_to_b=a_to_b),
    )
    return any(isinstance(one, Swap) and not differs(one.after, after) for one in answers)


def _is_one_whirlpool_swap(before: Whirlpool, after: Whirlpool) -> bool:
    """Try what a swap can be told to do: go to a price, spend an input, buy an output."""
    is_same_price = after.sqrt_price == before.sqrt_price
    if before.oracle is not None or before.tick_arrays != after.tick_arrays or is_same_price:
        return False
    a_to_b = after.sqrt_price < before.sqrt_price
    to_price = clmm.swap(
        before, _MOST_RAW - 1, exact_in=True, a_to_b=a_to_b, sqrt_price_limit=after.sqrt_price
    )
    if isinstance(to_price, Swap) and not differs(to_price.after, after):
        return True
    return any(_finds(before, after, a_to_b, exact_in=exact_in) for exact_in in (True, False))


def _finds(before: Whirlpool, after: Whirlpool, a_to_b: bool, *, exact_in: bool) -> bool:
    """Search by bisection the amount that moves price and fee growth exactly as far."""

    def reach(amount: int) -> tuple[int, int] | None:
        found = quote(before, amount, exact_in=exact_in, a_to_b=a_to_b)
        if not isinstance(found, Swap) or not isinstance(found.after, Whirlpool):
            return None
        return _progress(before, found.after, a_to_b)

    goal = _progress(before, after, a_to_b)
    low, high = 1, 4
    while high < _MOST_RAW and (reach(high) or goal) < goal:
        low, high = high, high * 4
    while low < high:
        middle = (low + high) // 2
        reached = reach(middle)
        if reached is not None and reached < goal:
            low = middle + 1
        else:
            high = middle
    found = quote(before, low, exact_in=exact_in, a_to_b=a_to_b)
    return isinstance(found, Swap) and not differs(found.after, after)


def _progress(before: Whirlpool, after: Whirlpool, a_to_b: bool) -> tuple[int, int]:
    """Price distance, then fee growth: both only grow with the input."""
    if a_to_b:
        growth = after.fee_growth_global_a - before.fee_growth_global_a
        return before.sqrt_price - after.sqrt_price, growth
    growth = after.fee_growth_global_b - before.fee_growth_global_b
    return after.sqrt_price - before.sqrt_price, growth
