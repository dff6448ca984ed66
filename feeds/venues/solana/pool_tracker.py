"""One pool over all endpoints: what is published, what is doubted, when to read again.

First to tell a newer slot wins; at one slot only the endpoint that told it first, or a
read, may speak again. A state that moves the price by more than the haircut covers waits
for a second voice: another endpoint, or a read. Endpoints that end up different at one
slot cannot both be right and neither is used until reads of all of them agree. A state of
a slot that the chain left behind (a fork) is withdrawn. No I/O: the feed brings slots,
notifications and reads, and asks `is_due`. Called by `feed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.curve import root_price
from feeds.market.events import PoolInvalidated, PoolUpdated
from feeds.venues.base import MarketSink
from feeds.venues.solana.accounts import RawAccount
from feeds.venues.solana.pool_accounts import Part, PoolAccounts, accounts_of
from feeds.venues.solana.pool_view import PoolState, PoolView, differs, parts_of
from feeds.venues.solana.programs import PoolKind, ProgramIds
from feeds.venues.solana.pubsub import AccountNotice

_SETTLED_SLOTS = 2
_READ = "read"
# What one voice alone may move a price by, as a fraction: no more than the usual haircut.
_ALONE = 1e-4
# What swaps change, and LPs with them: everything else of a pool is configuration.
_MOVING = frozenset(
    {
        "slot", "liquidity", "sqrt_price", "tick_current_index", "tick_arrays", "oracle",
        "fee_growth_global_a", "fee_growth_global_b", "protocol_fee_owed_a",
        "protocol_fee_owed_b", "vault_a_raw", "vault_b_raw", "protocol_fees_a",
        "protocol_fees_b", "fund_fees_a", "fund_fees_b", "creator_fees_a", "creator_fees_b",
        "need_take_pnl_a", "need_take_pnl_b",
    }
)  # fmt: skip


class FeedCounters:
    """Counts for metrics; the host reads the fields."""

    def __init__(self) -> None:
        self.pool_updates = 0
        self.pool_invalidations = 0
        self.old_notices = 0
        self.corrupt_accounts = 0
        self.corrupt_slots = 0
        self.disagreements = 0
        self.unsettled = 0
        self.reads = 0
        self.failed_reads = 0
        self.refused_reads = 0
        self.silent_subscriptions = 0
        self.slot_gaps = 0
        self.slot_regressions = 0
        self.abandoned = 0
        self.held_back = 0
        self.recentred = 0


class Pace(msgspec.Struct, frozen=True):
    """How long the feed waits for what, in ns."""

    settle_ns: int
    patience_ns: int
    retry_ns: int


class PoolRead(msgspec.Struct, frozen=True):
    """All accounts of the pool from one endpoint's bank."""

    endpoint: str
    slot: int
    accounts: Mapping[str, RawAccount | None]


class PoolTracker:
    """The state of one pool as the market hears it."""

    def __init__(
        self,
        address: str,
        kind: PoolKind,
        *,
        ids: ProgramIds,
        sink: MarketSink,
        counters: FeedCounters,
        pace: Pace,
        on_accounts: Callable[[], None],
    ) -> None:
        self.address = address
        self.accounts: PoolAccounts | None = None
        self.needs_agreement = False
        self.is_valid = False
        self.published: PoolState | None = None
        self._kind = kind
        self._ids = ids
        self._sink = sink
        self._counters = counters
        self._pace = pace
        self._on_accounts = on_accounts
        self._views: dict[str, PoolView] = {}
        self._speaker = ""
        self._is_holding = False
        self._due_ns: int | None = None
        self._settle_ns: int | None = None
        self._unsettled_since_ns: int | None = None

    # -------------------------------------------------------------- schedule

    @property
    def due_ns(self) -> int | None:
        """Monotonic time of the next read out of turn, None when there is none."""
        if self._due_ns is None or self._settle_ns is None:
            return self._settle_ns if self._due_ns is None else self._due_ns
        return min(self._due_ns, self._settle_ns)

    def ask_read(self, at_ns: int) -> None:
        """Ask for a read at or before that monotonic time."""
        self._due_ns = at_ns if self._due_ns is None else min(at_ns, self._due_ns)

    def start_read(self) -> None:
        """A read is about to be asked: what asks from now on needs another."""
        if self._settle_ns is not None:
            self._counters.unsettled += 1
        self._due_ns = None
        self._settle_ns = None

    def postpone_read(self, at_ns: int) -> None:
        """Put the read off until that monotonic time (a read just failed)."""
        self._due_ns = at_ns
        self._settle_ns = None

    @property
    def newest_slot(self) -> int:
        """The newest slot any endpoint told of this pool: no older read may replace it."""
        return max((view.newest_slot for view in self._views.values()), default=0)

    # ---------------------------------------------------------------- inputs

    def learn(self, account: RawAccount | None) -> None:
        """Learn the account set from the pool's own account; FeedCorrupt when it is none."""
        self._watch(accounts_of(self._kind, self.address, account, self._ids))

    def add_view(self, endpoint: str) -> None:
        """Start listening to an endpoint whose subscriptions are acknowledged."""
        if self.accounts is not None and endpoint not in self._views:
            self._views[endpoint] = PoolView(self.accounts)

    def drop_view(self, endpoint: str) -> None:
        """Forget what an endpoint told: its socket is gone and something may be missed."""
        self._views.pop(endpoint, None)

    def forget(self, reason: str, recv_ns: int) -> None:
        """Forget everything heard; only a read makes the pool usable again."""
        self._views.clear()
        self.published = None
        self._is_holding = False
        self.invalidate(reason, recv_ns)

    def take_ancestry(
        self, slot: int, parent: int, last: int | None, recv_ns: int, now_ns: int
    ) -> None:
        """Withdraw what was told of a slot that the chain of `slot` left out.

        `last` is the slot that the endpoint told before: a parent after it was missed.
        """
        told = self.published
        if told is not None and parent < told.slot < slot:
            self._counters.abandoned += 1
            endpoints = list(self._views)
            self.forget(f"slot {told.slot} was abandoned", recv_ns)
            for endpoint in endpoints:
                self.add_view(endpoint)
            self.ask_read(now_ns)
        elif last is not None and parent > last:
            self.ask_read(now_ns)

    def take_notice(self, notice: AccountNotice, now_ns: int) -> None:
        """Take one account notification."""
        view = self._views.get(notice.endpoint)
        if view is None:
            return
        try:
            state = view.take_notice(notice.address, notice.account, notice.slot)
        except FeedCorrupt as error:
            self._doubt(str(error), notice.recv_ns, now_ns)
            return
        if state is not None:
            self._publish(state, notice.endpoint, notice.recv_ns, now_ns)
        self._await_settling(now_ns)

    def take_reads(self, reads: list[PoolRead], up: set[str], now_ns: int, recv_ns: int) -> None:
        """Take one-slot reads from one or several endpoints, made at about one time."""
        accounts = self.accounts
        if accounts is None or not reads:
            return
        try:
            parts = [parts_of(accounts, read.accounts) for read in reads]
            states = [
                accounts.assemble(decoded, slot=read.slot)
                for decoded, read in zip(parts, reads, strict=True)
            ]
        except FeedCorrupt as error:
            self._doubt(str(error), recv_ns, now_ns)
            self.postpone_read(now_ns + self._pace.retry_ns)
            return
        if _conflict(states):
            self._counters.disagreements += 1
            self._doubt("endpoints disagree", recv_ns, now_ns)
            self.postpone_read(now_ns + self._pace.retry_ns)
            return
        if self.needs_agreement and not _agree(states, len(up)):
            self.postpone_read(now_ns + self._pace.retry_ns)
            return
        self.needs_agreement = False
        newest = max(range(len(states)), key=lambda i: states[i].slot)
        self._adopt(accounts, parts[newest], states[newest], up, now_ns, recv_ns)

    def take_slot(self, slots: Mapping[str, int], endpoint: str, recv_ns: int, now_ns: int) -> bool:
        """Check, at a new slot of `endpoint`, for silence and for disagreement.

        Returns whether that endpoint owes a notification: its subscription is dead.
        """
        view = self._views.get(endpoint)
        if view is None:
            return False
        for label, other in self._views.items():
            if label != endpoint and self._is_contradicted(view, other, slots, endpoint, label):
                self._counters.disagreements += 1
                self._doubt("endpoints disagree", recv_ns, now_ns)
        return view.is_silent_at(slots[endpoint])

    def check_patience(self, now_ns: int, recv_ns: int) -> None:
        """Stop using a pool whose accounts stayed incomplete for too long."""
        since_ns = self._unsettled_since_ns
        if since_ns is not None and now_ns - since_ns > self._pace.patience_ns:
            self.invalidate("accounts of one slot are incomplete", recv_ns)
            if self.due_ns is None:
                self.ask_read(now_ns)

    def invalidate(self, reason: str, recv_ns: int) -> None:
        """Say once that the pool must not be used until the next PoolUpdated."""
        if not self.is_valid:
            return
        self.is_valid = False
        self._counters.pool_invalidations += 1
        self._sink(PoolInvalidated(self.address, reason, recv_ns))

    # ---------------------------------------------------------------- inside

    def _adopt(
        self,
        accounts: PoolAccounts,
        parts: Mapping[str, Part],
        state: PoolState,
        up: set[str],
        now_ns: int,
        recv_ns: int,
    ) -> None:
        later: list[tuple[str, PoolState]] = []
        for endpoint in sorted(up):
            view = self._views.setdefault(endpoint, PoolView(accounts))
            settled = view.take_read(accounts, parts, state)
            if settled is not None and settled.slot > state.slot:
                later.append((endpoint, settled))
        if not self.is_valid:
            self.is_valid = True
            self.published = None
        self._publish(state, _READ, recv_ns, now_ns)
        for endpoint, settled in later:
            self._publish(settled, endpoint, recv_ns, now_ns)
        self._await_settling(now_ns)

    def _await_settling(self, now_ns: int) -> None:
        """Give the rest of a burst a moment to arrive; read if it does not."""
        is_settled = all(view.unsettled_slot is None for view in self._views.values())
        if is_settled and not self._is_holding:
            self._settle_ns = None
            self._unsettled_since_ns = None
            return
        if self._settle_ns is None:
            is_alone = is_settled and len(self._views) == 1
            self._settle_ns = now_ns + (0 if is_alone else self._pace.settle_ns)
        if self._unsettled_since_ns is None:
            self._unsettled_since_ns = now_ns

    def _is_contradicted(
        self, view: PoolView, other: PoolView, slots: Mapping[str, int], a: str, b: str
    ) -> bool:
        if self.needs_agreement or view.state is None or other.state is None:
            return False
        slot = view.state.slot
        # Several updates of one slot may come: compare only what is surely the last.
        is_final = min(slots.get(a, 0), slots.get(b, 0)) >= slot + _SETTLED_SLOTS
        if slot != other.state.slot or not is_final:
            return False
        return differs(view.state, other.state)

    def _doubt(self, reason: str, recv_ns: int, now_ns: int) -> None:
        """Trust no single endpoint on this pool until all that are up agree."""
        if reason != "endpoints disagree":
            self._counters.corrupt_accounts += 1
        self.needs_agreement = True
        self.invalidate(reason, recv_ns)
        self.ask_read(now_ns)

    def _publish(self, state: PoolState, speaker: str, recv_ns: int, now_ns: int) -> None:
        self._move_window(state, now_ns)
        if self.needs_agreement or not self.is_valid:
            return
        last = self.published
        if last is not None and state.slot < last.slot:
            self._counters.old_notices += 1
            return
        if last is not None and state.slot == last.slot and speaker not in (_READ, self._speaker):
            if self._speaker == _READ and differs(state, last):
                self.ask_read(now_ns + self._pace.settle_ns)
            return
        if speaker != _READ and last is not None and self._needs_second(state, last, speaker):
            self._counters.held_back += not self._is_holding
            self._is_holding = True
            return
        self._is_holding = False
        self._unsettled_since_ns = None
        self._speaker = speaker
        self.published = state
        self._counters.pool_updates += 1
        self._sink(PoolUpdated(self.address, state.slot, state, recv_ns))

    def _needs_second(self, state: PoolState, last: PoolState, speaker: str) -> bool:
        """Whether one voice is not enough for this change, and no other has said the same."""
        before, after = root_price(last, True), root_price(state, True)
        # A root moves half as far as its price.
        is_small = before > 0 and abs(after - before) <= _ALONE / 2 * before
        if is_small and not _is_reconfigured(last, state):
            return False
        said = (view.state for name, view in self._views.items() if name != speaker)
        return not any(
            other is not None and other.slot == state.slot and not differs(other, state)
            for other in said
        )

    def _move_window(self, state: PoolState, now_ns: int) -> None:
        """Follow the price: watch other tick arrays and read them."""
        moved = self.accounts.moved(state) if self.accounts is not None else None
        if moved is not None:
            self._counters.recentred += 1
            self._watch(moved)
            self.ask_read(now_ns)

    def _watch(self, accounts: PoolAccounts) -> None:
        self.accounts = accounts
        for view in self._views.values():
            view.expected = accounts
        self._on_accounts()


def _is_reconfigured(before: PoolState, after: PoolState) -> bool:
    """Whether anything differs that no swap changes."""
    return any(
        getattr(before, name) != getattr(after, name)
        for name in type(before).__struct_fields__
        if name not in _MOVING
    )


def _conflict(states: list[PoolState]) -> bool:
    """Whether two reads of the same slot differ."""
    return any(
        a.slot == b.slot and differs(a, b) for i, a in enumerate(states) for b in states[i + 1 :]
    )


def _agree(states: list[PoolState], up_count: int) -> bool:
    """Whether every endpoint that is up answered, and all tell the same state."""
    return len(states) >= up_count and not any(differs(states[0], s) for s in states[1:])
