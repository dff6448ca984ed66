"""The simulated chain: slots, heights, blockhashes, pending transactions, blocks, forks.

A synchronous core on the world's event clock. At each slot's start the transactions that
land and the market's own actors are put in order and executed; the truth is committed
before anybody is told. Not here: RPC (solana_rpc), programs (solana_runtime), who the
actors are (competitors).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import msgspec
from solders.hash import Hash

from feeds.sim import seeding
from feeds.sim.faults import FaultBoard, FaultValue
from feeds.sim.schedule import Schedule, Stream
from feeds.sim.solana.accounts import Bank, Ledger, State
from feeds.sim.solana.blocks import (
    BLOCKHASH_BLOCKS,
    SOLANA_KNOBS,
    SOLANA_SHOTS,
    Actors,
    Bid,
    Block,
    BlockListener,
    Head,
    TxRecord,
    Undo,
)
from feeds.sim.solana.landing import Landing, LandingSettings, Pending
from feeds.sim.solana.records import WalletBooks
from feeds.sim.solana.runtime import Meta, NotChargeable, execute
from feeds.sim.solana.transactions import Transaction, parse
from feeds.sim.truth import TruthStore

_KEPT_BLOCKS = 600
_FIRST_SLOT = 300_000_000
_SKIPPED_SLOTS_BEFORE = 20_000_000  # height runs behind slot by all slots ever skipped
# What `solana.fail_next` lets each program fail with: its own slippage error.
_FORCED_ERRORS = {seeding.WHIRLPOOL_PROGRAM: 6036, seeding.CPMM_PROGRAM: 6005}


class SolanaChain:
    """One chain. Construction restores it from `truth`, or opens it with `opening`."""

    def __init__(
        self,
        truth: TruthStore,
        schedule: Schedule,
        faults: FaultBoard,
        rng: Stream,
        settings: LandingSettings,
        opening: Callable[[], Mapping[str, State]],
        wallets: Sequence[str],
    ) -> None:
        self._truth = truth
        self._schedule = schedule
        self._faults = faults
        faults.declare(SOLANA_KNOBS, shots=SOLANA_SHOTS)
        faults.watch("solana.fail_next", self._arm_failure)
        faults.watch("solana.fork", self._arm_fork)
        self.landing = Landing(settings, rng)
        self.bank = Bank()
        self.actors: list[Actors] = []
        self.listeners: list[BlockListener] = []
        self.fork_listeners: list[Callable[[], None]] = []
        self.books = WalletBooks(truth, wallets, frozenset(seeding.tip_accounts()))
        self._pending: dict[str, Pending] = {}
        self._records: dict[str, TxRecord] = {}
        self._blocks: list[Block] = []
        self._height_of: dict[str, int] = {}
        self._replaced: dict[int, int] = {}
        self._newest: Undo | None = None
        self._failures_armed = 0
        self._is_fork_armed = False
        self.landed_count = 0
        self._restore(opening)

    # ------------------------------------------------------------- life

    def start(self) -> None:
        """Plan the first slot on the schedule."""
        self._schedule.at(self._next_at_ns, self._begin_slot)

    def _restore(self, opening: Callable[[], Mapping[str, State]]) -> None:
        now_ns = self._schedule.now_ns
        stored = self._truth.get("solana.head", "head")
        if stored is None:
            accounts = dict(opening())
            self.slot, self._height = _FIRST_SLOT, _FIRST_SLOT - _SKIPPED_SLOTS_BEFORE
            for address, state in accounts.items():
                self._truth.put("solana.account", address, state)
            self.bank.load(accounts.items(), self.slot)
            self.books.open(self.bank, now_ns)
            self._put_head(now_ns)
            self._truth.commit()
        else:
            head = msgspec.json.decode(stored, type=Head)
            self._replaced = head.replaced
            slot_ns = round(self.landing.settings.slot_ms * 1e6)
            missed = max(0, (now_ns - head.at_ns) // slot_ns)
            self.slot = head.slot + missed
            # The other leaders went on without us: blocks in all but the skipped slots.
            self._height = head.height + round(missed * (1 - self.landing.settings.skipped_slot_p))
            rows = self._truth.items("solana.account")
            decoder = msgspec.json.Decoder(State)
            self.bank.load(((key, decoder.decode(row)) for key, row in rows), self.slot)
            for key, row in self._truth.items("solana.tx"):
                self._records[key] = msgspec.json.decode(row, type=TxRecord)
            self.landed_count = len(self._records)
        self._next_at_ns = now_ns
        for height in range(self._height - 2 * BLOCKHASH_BLOCKS, self._height + 1):
            self._height_of[self._blockhash(height)] = height
        self._blocks.append(
            Block(self.slot, self.slot - 1, self._height, self._blockhash(self._height), now_ns)
        )
        for _, row in list(self._truth.items("solana.pending")):
            self._take_in(parse(msgspec.json.decode(row, type=bytes)), has_retries=False)

    def _arm_failure(self, value: FaultValue) -> None:
        self._failures_armed += bool(value)

    def _arm_fork(self, value: FaultValue) -> None:
        self._is_fork_armed = self._is_fork_armed or bool(value)

    # ------------------------------------------------------------- what nodes ask

    @property
    def height(self) -> int:
        """Block height of the newest block."""
        return self._height

    @property
    def newest(self) -> Block:
        """The newest block."""
        return self._blocks[-1]

    def block_at(self, slot: int) -> Block:
        """The last block up to `slot`; the oldest kept one when all are younger."""
        place = bisect_right(self._blocks, slot, key=_slot_of_block)
        return self._blocks[max(place - 1, 0)]

    def blocks_since(self, slot: int) -> list[Block]:
        """The kept blocks from `slot` on."""
        return self._blocks[bisect_right(self._blocks, slot - 1, key=_slot_of_block) :]

    def record(self, signature: str) -> TxRecord | None:
        """The landed transaction, None while no block holds it."""
        return self._records.get(signature)

    def is_waiting(self, signature: str) -> bool:
        """Whether a sent transaction is in no block yet and may still get into one."""
        return signature in self._pending

    def is_blockhash_valid(self, blockhash: str, height: int) -> bool:
        """Whether a transaction on `blockhash` may be in the block after `height`."""
        issued = self._height_of.get(blockhash)
        return issued is not None and issued <= height < issued + BLOCKHASH_BLOCKS

    def simulate(self, transaction: Transaction) -> tuple[Meta, Ledger]:
        """Run on the newest state without leaving a trace; what it would have written besides.

        Raises NotChargeable.
        """
        return execute(transaction, self.bank, now_s=self._schedule.now_ns // 10**9)

    # ------------------------------------------------------------- sending

    def submit(self, raw: bytes, *, has_retries: bool = False) -> Transaction:
        """Take signed bytes in; durable before it returns. Raises BadTransaction.

        At most once per signature: bytes that landed or are already waiting change
        nothing but their forwarding. A stale or unknown blockhash is swallowed, as a
        node without preflight does.
        """
        transaction = parse(raw)
        self._take_in(transaction, has_retries=has_retries)
        self._truth.commit()
        return transaction

    def _take_in(self, transaction: Transaction, *, has_retries: bool) -> None:
        signature = transaction.signature
        issued = self._height_of.get(transaction.blockhash)
        if signature in self._records or issued is None:
            return
        until = self.slot + self.landing.settings.forwarded_slots
        if has_retries:
            until = self.slot + 10 * BLOCKHASH_BLOCKS
        waiting = self._pending.get(signature)
        if waiting is not None:
            waiting.forwarded_until_slot = max(until, waiting.forwarded_until_slot)
            return
        bid = transaction.bid_lamports(self.books.tip_accounts)
        self._pending[signature] = Pending(transaction, bid, issued + BLOCKHASH_BLOCKS, until)
        self._truth.put("solana.pending", signature, transaction.raw)

    # ------------------------------------------------------------- a slot

    def _begin_slot(self, at_ns: int) -> None:
        self.slot += 1
        length_ns, is_skipped = self.landing.next_slot()
        self._next_at_ns = at_ns + length_ns
        reverted: frozenset[str] = frozenset()
        if self._is_fork_armed and self._newest is not None:
            reverted = self._abandon_newest()
        if is_skipped and not reverted:
            self._put_head(at_ns)
            self._truth.commit()
        else:
            self._produce(at_ns, reverted)
        self._schedule.at(self._next_at_ns, self._begin_slot)

    def _produce(self, at_ns: int, reverted: frozenset[str]) -> None:
        parent = self._blocks[-1]
        self._height += 1
        landed = self._execute(at_ns)
        for record in landed:
            self._records[record.signature] = record
            self.landed_count += 1
            self._truth.put("solana.tx", record.signature, record)
            self.books.book(record.signature, record.raw, record.meta, at_ns)
        before = self.bank.before_slot()
        changed = frozenset(self.bank.seal())
        for address in changed | reverted:
            self._put_account(address)
        self._drop_expired()
        blockhash = self._blockhash(self._height)
        self._height_of[blockhash] = self._height
        self._height_of.pop(self._blockhash(self._height - 3 * BLOCKHASH_BLOCKS), None)
        self._put_head(at_ns)
        self._truth.commit()
        block = Block(
            slot=self.slot,
            parent=parent.slot,
            height=self._height,
            blockhash=blockhash,
            at_ns=at_ns,
            signatures=tuple(record.signature for record in landed),
            changed=changed,
            reverted=reverted,
            priority_price=self.landing.priority_price(),
        )
        self._blocks.append(block)
        del self._blocks[:-_KEPT_BLOCKS]
        self._newest = Undo(before, tuple(landed), tuple(self._landed_pendings))
        for listener in self.listeners:
            listener(block)

    def _execute(self, at_ns: int) -> list[TxRecord]:
        """Run this slot's transactions and actors by bid and luck; return what landed."""
        land_p = self._faults.number("solana.land_p")
        queue: list[tuple[float, int, Pending | Bid]] = []
        for pending in self._pending.values():
            if self.landing.lands(pending, self.slot, land_p):
                queue.append((self.landing.rank(pending.bid_lamports), len(queue), pending))
        for actors in self.actors:
            for bid in actors(self.slot, at_ns):
                queue.append((self.landing.rank(bid.lamports), len(queue), bid))
        queue.sort(key=lambda item: item[:2])
        landed: list[TxRecord] = []
        self._landed_pendings: list[Pending] = []
        for _, _, entry in queue:
            if isinstance(entry, Bid):
                changes = Ledger(self.bank)
                entry.act(changes, at_ns // 10**9)
                self.bank.apply(self.slot, changes.written)
            else:
                record = self._land(entry, at_ns)
                if record is not None:
                    landed.append(record)
                    self._landed_pendings.append(entry)
        return landed

    def _land(self, pending: Pending, at_ns: int) -> TxRecord | None:
        transaction = pending.transaction
        is_known = transaction.blockhash in self._height_of  # a fork may have taken it back
        if not is_known or self._height > pending.last_valid_height:
            return None
        forced = None
        if self._failures_armed:
            codes = (_FORCED_ERRORS.get(step.program) for step in transaction.steps)
            forced = next((code for code in codes if code is not None), None)
            self._failures_armed -= forced is not None
        now_s = at_ns // 10**9
        try:
            meta, changes = execute(transaction, self.bank, now_s=now_s, forced_error=forced)
        except NotChargeable:
            return None
        self.bank.apply(self.slot, changes.written)
        del self._pending[transaction.signature]
        self._truth.delete("solana.pending", transaction.signature)
        return TxRecord(
            transaction.signature, self.slot, self._height, now_s, transaction.raw, meta
        )

    def _abandon_newest(self) -> frozenset[str]:
        """Undo the newest block: a fork without it won. Its transactions wait again."""
        assert self._newest is not None
        lost, newest = self._blocks.pop(), self._newest
        self._newest, self._is_fork_armed = None, False
        self.bank.undo(dict(newest.before), lost.slot)
        for record in reversed(newest.records):
            del self._records[record.signature]
            self.landed_count -= 1
            self._truth.delete("solana.tx", record.signature)
            self.books.take_back(record.signature, record.raw, record.meta, lost.at_ns)
        for pending in newest.pendings:
            self._pending[pending.transaction.signature] = pending
            raw = pending.transaction.raw
            self._truth.put("solana.pending", pending.transaction.signature, raw)
        self._height_of.pop(lost.blockhash, None)
        self._replaced[lost.height] = self._replaced.get(lost.height, 0) + 1
        self._height -= 1
        for listener in self.fork_listeners:
            listener()
        return lost.changed

    def _drop_expired(self) -> None:
        for signature in [
            signature
            for signature, pending in self._pending.items()
            if self._height >= pending.last_valid_height
        ]:
            del self._pending[signature]
            self._truth.delete("solana.pending", signature)

    def _put_account(self, address: str) -> None:
        state = self.bank.get(address)
        if state is None:
            self._truth.delete("solana.account", address)
        else:
            self._truth.put("solana.account", address, state)

    def _put_head(self, at_ns: int) -> None:
        recent = self._height - 2 * BLOCKHASH_BLOCKS
        self._replaced = {h: n for h, n in self._replaced.items() if h > recent}
        self._truth.put("solana.head", "head", Head(self.slot, self._height, at_ns, self._replaced))

    def _blockhash(self, height: int) -> str:
        """The hash that `height` issued: a function of it, so a restart knows them all."""
        text = f"spreadline block {height} {self._replaced.get(height, 0)}"
        return str(Hash(hashlib.sha256(text.encode()).digest()))


def _slot_of_block(block: Block) -> int:
    return block.slot
