"""The Solana market feed: pools and slots from several endpoints, in one sink.

Every endpoint has a socket with every account of every pool subscribed at `processed`;
reads of all accounts at one slot open, probe and repair the picture: on connect, on a
slot gap, when the price leaves the loaded tick arrays, when notifications do not add up
(`pool_view`), and every few seconds from all endpoints, compared. Wallets are watched by
`trading`, not here. Hosts run `run` as a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.market.events import FeedProof, SlotAdvanced, VenueStatus
from feeds.venues.backoff import Jitter
from feeds.venues.base import MarketSink
from feeds.venues.solana.pool_accounts import PoolAccounts
from feeds.venues.solana.pool_tracker import FeedCounters, Pace, PoolRead, PoolTracker
from feeds.venues.solana.programs import MAINNET, PoolKind, ProgramIds
from feeds.venues.solana.pubsub import AccountNotice, PubSub, SignatureNotice
from feeds.venues.solana.rpc import MAX_ACCOUNTS, AccountsRead, SolanaRpc
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.taps import SolanaTap
from feeds.venues.transport import Transport

_NS = 1_000_000_000
_GAP_SLOTS = 8
_REORG_SLOTS = 64
# A node tells of a slot before it tells what the slot changed; this much is leeway.
_AHEAD_SLOTS = 2
# Old enough to be confirmed, so that every node knows its time.
_DATED_SLOTS = 16
_CLOCK_EVERY_PROBES = 6
_MAX_LAG_SLOTS = 8
_REMEMBERED_SLOTS = 150
_PROOF_EVERY_NS = 200_000_000


class SolanaFeed:
    """Implements `MarketFeed`. `pools` are (address, kind); the rest is read from the chain.

    `tap` hears every raw frame and reply first (a recorder).
    """

    def __init__(
        self,
        transport: Transport,
        endpoints: tuple[RpcEndpoint, ...],
        pools: Sequence[tuple[str, PoolKind]],
        *,
        clock: Clock,
        rng: Jitter,
        sink: MarketSink,
        ids: ProgramIds = MAINNET,
        resync_s: float = 5.0,
        settle_s: float = 0.03,
        patience_s: float = 1.0,
        retry_s: float = 0.4,
        silence_s: float = 5.0,
        rpc_timeout_s: float = 2.0,
        tap: SolanaTap | None = None,
    ) -> None:
        self.counters = FeedCounters()
        self.rpc = SolanaRpc(
            transport, endpoints, clock=clock, rng=rng, timeout_s=rpc_timeout_s, tap=tap
        )
        self.sockets = {
            endpoint.label: PubSub(
                transport, endpoint, self, clock=clock, rng=rng, silence_s=silence_s, tap=tap
            )
            for endpoint in endpoints
        }
        self._clock = clock
        self._sink = sink
        self._resync_ns = round(resync_s * _NS)
        self._retry_ns = round(retry_s * _NS)
        pace = Pace(round(settle_s * _NS), round(patience_s * _NS), self._retry_ns)
        self._trackers = {
            address: PoolTracker(
                address, kind, ids=ids, sink=sink, counters=self.counters, pace=pace,
                on_accounts=self._subscribe,
            )
            for address, kind in pools
        }  # fmt: skip
        self._pools_of: dict[str, list[PoolTracker]] = {}
        self._slots: dict[str, int] = {}
        self._newest_slot = 0
        self._begun_ns: deque[tuple[int, int]] = deque(maxlen=2 * _DATED_SLOTS)
        self._clock_skew_ms: float | None = None
        self._silent: set[str] = set()
        self._wake = asyncio.Event()
        self._probed_ns: int | None = None
        self._proof_ns = 0
        self._is_online = False
        self._subscribe()

    async def run(self) -> None:
        """Connect, subscribe, read, publish, reconnect, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for socket in self.sockets.values():
                group.create_task(socket.run())
            group.create_task(self._keep_reading())
            group.create_task(self._keep_probing())

    # ---------------------------------------------------------- PubSubListener

    def on_slot(self, endpoint: str, slot: int, recv_ns: int, parent: int | None) -> None:
        """Advance one endpoint's slot; look for forks, gaps, silence and disagreement."""
        if parent is not None and not parent < slot <= parent + _REORG_SLOTS:
            # Damaged: believed, it would make every honest slot look old.
            self.counters.corrupt_slots += 1
            return
        last = self._slots.get(endpoint)
        if last is not None and not self._is_next(endpoint, last, slot, recv_ns):
            return
        self._slots[endpoint] = slot
        self.rpc.note_slot(endpoint, slot)
        if not self._begun_ns or slot > self._begun_ns[-1][0]:
            self._begun_ns.append((slot, recv_ns))
        now_ns = self._clock.monotonic_ns()
        for tracker in self._trackers.values():
            if parent is not None:
                tracker.take_ancestry(slot, parent, last, recv_ns, now_ns)
            if tracker.take_slot(self._slots, endpoint, recv_ns, now_ns):
                self._silent.add(endpoint)
            tracker.check_patience(now_ns, recv_ns)
        if endpoint in self._silent:
            self.counters.silent_subscriptions += 1
            self.sockets[endpoint].restart("silent subscription")
        self._wake_if_due()
        self._tell_slot(endpoint, recv_ns, now_ns)

    def on_account(self, notice: AccountNotice) -> None:
        """Hand a notification to the pools it belongs to."""
        now_ns = self._clock.monotonic_ns()
        if notice.slot > self._slots.get(notice.endpoint, notice.slot) + _AHEAD_SLOTS:
            # A slot from the future would make every honest later word look old.
            self.counters.corrupt_accounts += 1
            for tracker in self._pools_of.get(notice.address, ()):
                tracker.ask_read(now_ns)
            self._wake_if_due()
            return
        for tracker in self._pools_of.get(notice.address, ()):
            tracker.take_notice(notice, now_ns)
        self._wake_if_due()

    def on_signature(self, notice: SignatureNotice) -> None:
        """The feed watches no signatures."""

    def on_ready(self, endpoint: str, recv_ns: int) -> None:
        """All subscriptions of an endpoint stand: read what was missed before them."""
        now_ns = self._clock.monotonic_ns()
        self._silent.discard(endpoint)
        for tracker in self._trackers.values():
            tracker.add_view(endpoint)
            tracker.ask_read(now_ns)
        if not self._is_online:
            self._is_online = True
            self._tell_status(recv_ns)
        self._wake.set()

    def on_down(self, endpoint: str, reason: str, recv_ns: int) -> None:
        """Forget an endpoint; with the last one the pools become unusable."""
        self._slots.pop(endpoint, None)
        for tracker in self._trackers.values():
            tracker.drop_view(endpoint)
        if self._is_online and not self._up_labels():
            self._is_online = False
            self._tell_status(recv_ns)
            for tracker in self._trackers.values():
                tracker.invalidate(f"no endpoint is connected ({reason})", recv_ns)

    # ------------------------------------------------------------------ slots

    def _is_next(self, endpoint: str, last: int, slot: int, recv_ns: int) -> bool:
        """Whether a slot moves an endpoint on; gaps and a restarted chain ask for reads."""
        now_ns = self._clock.monotonic_ns()
        if slot < last:
            self.counters.slot_regressions += 1
            if last - slot <= _REORG_SLOTS:
                return False
            for tracker in self._trackers.values():
                tracker.forget("the endpoint's slots started over", recv_ns)
                tracker.add_view(endpoint)
                tracker.ask_read(now_ns)
        elif slot - last > _GAP_SLOTS:
            self.counters.slot_gaps += 1
            for tracker in self._trackers.values():
                tracker.ask_read(now_ns)
        return True

    def _tell_slot(self, endpoint: str, recv_ns: int, now_ns: int) -> None:
        trusted = [slot for label, slot in self._slots.items() if self._is_trusted(label)]
        if not trusted:
            return
        known = max(self._slots.values())
        # What an endpoint that is gone said still dates the others, for a minute.
        forgotten = self._newest_slot - known > _REMEMBERED_SLOTS
        self._newest_slot = known if forgotten else max(known, self._newest_slot)
        lag_slots = self._newest_slot - max(trusted)
        self._sink(SlotAdvanced(self._newest_slot, lag_slots, recv_ns))
        is_probed = self._probed_ns is not None and now_ns - self._probed_ns <= 3 * self._resync_ns
        is_time = recv_ns - self._proof_ns >= _PROOF_EVERY_NS or recv_ns < self._proof_ns
        if is_probed and is_time and self._is_trusted(endpoint):
            self._proof_ns = recv_ns
            self._sink(FeedProof("solana", "*", recv_ns))

    def _is_trusted(self, label: str) -> bool:
        return self.sockets[label].is_up and label not in self._silent

    def _up_labels(self) -> set[str]:
        return {label for label, socket in self.sockets.items() if socket.is_up}

    def _tell_status(self, recv_ns: int) -> None:
        pings = [s.rtt_ms for s in self.sockets.values() if s.is_up and s.rtt_ms is not None]
        calls = [self.rpc.health(label).rtt_ms for label in self._up_labels()]
        known = pings or [rtt_ms for rtt_ms in calls if rtt_ms is not None]
        status = "online" if self._is_online else "disconnected"
        rtt_ms = min(known, default=None)
        self._sink(VenueStatus("solana", status, rtt_ms, recv_ns, self._clock_skew_ms))

    # ---------------------------------------------------------- subscriptions

    def _subscribe(self) -> None:
        """Want every account of every pool on every socket."""
        self._pools_of = {}
        for tracker in self._trackers.values():
            known = tracker.accounts
            for address in known.watched if known is not None else (tracker.address,):
                self._pools_of.setdefault(address, []).append(tracker)
        for socket in self.sockets.values():
            socket.want_accounts(set(self._pools_of))

    # ------------------------------------------------------------------ reads

    def _wake_if_due(self) -> None:
        if any(tracker.due_ns is not None for tracker in self._trackers.values()):
            self._wake.set()

    async def _keep_reading(self) -> None:
        """Read pools out of turn when they ask for it."""
        while True:
            await self._sleep_until_due()
            now_ns = self._clock.monotonic_ns()
            due = [
                t for t in self._trackers.values() if t.due_ns is not None and t.due_ns <= now_ns
            ]
            if not self._up_labels():
                self._postpone(due)
                continue
            for tracker in due:
                tracker.start_read()
            await self._learn(due)
            for batch in _batches(due):
                await self._read(batch, from_all=any(t.needs_agreement for t in batch))

    async def _keep_probing(self) -> None:
        """Read everything from every endpoint every so often, and compare.

        A task of its own: an endpoint that answers slowly must not delay urgent reads.
        """
        for number in count():
            await asyncio.sleep(self._resync_ns / _NS)
            if not self._up_labels():
                continue
            for batch in _batches(list(self._trackers.values())):
                await self._read(batch, from_all=True)
            if number % _CLOCK_EVERY_PROBES == 0:
                await self._compare_clocks()
            self._tell_status(self._clock.now_ns())

    async def _compare_clocks(self) -> None:
        """Hold our clock against a block's time, which has whole seconds and drifts by some."""
        dated = [begun for begun in self._begun_ns if begun[0] <= self._newest_slot - _DATED_SLOTS]
        if not dated:
            return
        slot, begun_ns = dated[-1]
        try:
            told_s = await self.rpc.block_time(slot)
        except QueryFailed:
            # Nodes prune and need not keep block times: unknown, not wrong.
            return
        self._clock_skew_ms = told_s * 1e3 + 500.0 - begun_ns / 1e6

    async def _sleep_until_due(self) -> None:
        while True:
            self._wake.clear()
            due = [t.due_ns for t in self._trackers.values() if t.due_ns is not None]
            wait_ns = min(due) - self._clock.monotonic_ns() if due else None
            if wait_ns is not None and wait_ns <= 0:
                return
            try:
                async with asyncio.timeout(None if wait_ns is None else wait_ns / _NS):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _learn(self, trackers: list[PoolTracker]) -> None:
        """Read the pool accounts of pools whose account set is not known yet."""
        unknown = [tracker for tracker in trackers if tracker.accounts is None]
        for at in range(0, len(unknown), MAX_ACCOUNTS):
            batch = unknown[at : at + MAX_ACCOUNTS]
            try:
                read = await self.rpc.multiple_accounts([t.address for t in batch])
            except QueryFailed:
                self._postpone(batch)
                return
            for tracker, account in zip(batch, read.accounts, strict=True):
                try:
                    tracker.learn(account)
                except FeedCorrupt:
                    self.counters.corrupt_accounts += 1
                    self._postpone([tracker])

    async def _read(self, batch: list[PoolTracker], *, from_all: bool) -> None:
        """Read all accounts of some pools at one slot, from one endpoint or from all."""
        # The set may change while we wait for the answer: keep what was asked.
        asked = {tracker.address: tracker.accounts for tracker in batch}
        addresses = sorted({a for accounts in asked.values() for a in _addresses(accounts)})
        floor = max(max(self._slots.values(), default=0) - _MAX_LAG_SLOTS, 0)
        if not from_all:
            floor = max(floor, *(tracker.newest_slot for tracker in batch))
        up = self._up_labels()
        sources = [e for e in self.rpc.endpoints if e.label in up] if from_all else [None]
        self.counters.reads += 1
        answers = await asyncio.gather(*(self._ask(addresses, floor, source) for source in sources))
        reads = [answer for answer in answers if answer is not None]
        if not reads:
            self.counters.failed_reads += 1
            self._postpone(batch)
            return
        up = self._up_labels()
        if not up:
            # The last socket went while we waited: what was read is already unguarded.
            return
        self._probed_ns = self._clock.monotonic_ns()
        for tracker in batch:
            accounts = asked[tracker.address]
            if accounts is None or tracker.accounts is not accounts:
                tracker.ask_read(self._clock.monotonic_ns())
                continue
            tracker.take_reads(
                [_of_pool(accounts, read) for read in reads],
                up, self._clock.monotonic_ns(), self._clock.now_ns(),
            )  # fmt: skip

    async def _ask(
        self, addresses: list[str], floor: int, source: RpcEndpoint | None
    ) -> AccountsRead | None:
        try:
            return await self.rpc.multiple_accounts(
                addresses, min_context_slot=floor, endpoint=source
            )
        except QueryFailed:
            # No answer, or one from a bank older than what we have heard of.
            self.counters.refused_reads += 1
            return None

    def _postpone(self, trackers: list[PoolTracker]) -> None:
        for tracker in trackers:
            tracker.postpone_read(self._clock.monotonic_ns() + self._retry_ns)


def _addresses(accounts: PoolAccounts | None) -> tuple[str, ...]:
    return () if accounts is None else (*accounts.watched, *accounts.checked)


def _of_pool(accounts: PoolAccounts, read: AccountsRead) -> PoolRead:
    found = {account.address: account for account in read.accounts if account is not None}
    return PoolRead(read.endpoint, read.slot, {a: found.get(a) for a in _addresses(accounts)})


def _batches(trackers: list[PoolTracker]) -> Iterator[list[PoolTracker]]:
    """Group pools so that each group fits one call."""
    batch: list[PoolTracker] = []
    size = 0
    for tracker in trackers:
        if tracker.accounts is None:
            continue
        count = len(_addresses(tracker.accounts))
        if batch and size + count > MAX_ACCOUNTS:
            yield batch
            batch, size = [], 0
        batch.append(tracker)
        size += count
    if batch:
        yield batch
