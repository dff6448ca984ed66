"""The trading side of Solana: sign, send, watch, and prove.

Implements `DexTrading`. Signing is synchronous and behind `firewall`; sending hands the
same bytes to every endpoint and never decides to send again; sightings come from
subscriptions and polling at once; what proves an outcome is asked in `evidence`.
It knows one wallet and no strategy. Market data is `feed`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from solders.keypair import Keypair
from solders.message import to_bytes_versioned

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt, NotSent, OutcomeUnknown, QueryFailed, Rejected
from feeds.venues.backoff import Jitter
from feeds.venues.base import DexEvent, DexReceipt, DexSwap, EndpointStatus, SignedSwap
from feeds.venues.solana.accounts import key_bytes
from feeds.venues.solana.blockhashes import BlockhashRing
from feeds.venues.solana.evidence import Evidence, Level
from feeds.venues.solana.firewall import Expectation, FirewallLimits, check_message
from feeds.venues.solana.programs import MAINNET, PoolRef, ProgramIds
from feeds.venues.solana.pubsub import AccountNotice, PubSub, SignatureNotice
from feeds.venues.solana.route_firewall import RoutePolicy
from feeds.venues.solana.rpc import SendOutcome, SolanaRpc
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.signatures import SignatureWatch
from feeds.venues.solana.transactions import max_fee_lamports, signature_of, swap_message
from feeds.venues.solana.wallet import READ, Wallet
from feeds.venues.transport import Transport

PoolRefs = Callable[[str], PoolRef | None]

_NEVER_SENT_KEPT = 1024


class TradingSettings(msgspec.Struct, frozen=True):
    """What the operator chooses. Mints beyond these are never traded."""

    mints: tuple[str, ...]
    tip_accounts: tuple[str, ...] = ()
    fuse_blocks: int = 40
    limits: FirewallLimits = FirewallLimits()
    routes: RoutePolicy = RoutePolicy()
    blockhash_every_s: float = 0.8
    poll_every_s: float = 0.4
    balances_every_s: float = 10.0
    silence_s: float = 5.0
    rpc_timeout_s: float = 2.5


class TradingCounters:
    """Counts for metrics; the host reads the fields."""

    def __init__(self) -> None:
        self.signed = 0
        self.refused_by_firewall = 0
        self.sends = 0
        self.accepted_sends = 0
        self.failed_polls = 0
        self.corrupt_accounts = 0


class SolanaTrading:
    """One wallet on Solana. Events go to the sink given at construction."""

    def __init__(
        self,
        transport: Transport,
        endpoints: tuple[RpcEndpoint, ...],
        keypair: Keypair,
        pool_ref: PoolRefs,
        settings: TradingSettings,
        *,
        clock: Clock,
        rng: Jitter,
        sink: Callable[[DexEvent], None],
        ids: ProgramIds = MAINNET,
    ) -> None:
        for account in settings.tip_accounts:
            key_bytes(account)
        self.counters = TradingCounters()
        self.rpc = SolanaRpc(
            transport, endpoints, clock=clock, rng=rng, timeout_s=settings.rpc_timeout_s
        )
        self.ring = BlockhashRing(clock, fuse_blocks=settings.fuse_blocks)
        self.wallet = Wallet(str(keypair.pubkey()), settings.mints, ids)
        self._sockets = [
            PubSub(transport, one, self, clock=clock, rng=rng, silence_s=settings.silence_s)
            for one in endpoints
        ]
        for socket in self._sockets:
            socket.want_accounts(set(self.wallet.addresses))
        self._keypair = keypair
        self._pool_ref = pool_ref
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._sink = sink
        self._ids = ids
        self._watch = SignatureWatch()
        self._evidence = Evidence(
            self.rpc, self.wallet, clock=clock, tip_accounts=frozenset(settings.tip_accounts)
        )
        self._never_sent: dict[str, None] = {}
        self._sends: set[asyncio.Task[SendOutcome]] = set()
        self._balances_due = asyncio.Event()

    async def run(self) -> None:
        """Keep blockhashes fresh and own accounts and signatures watched until cancelled."""
        async with asyncio.TaskGroup() as group:
            for socket in self._sockets:
                group.create_task(socket.run())
            group.create_task(self._keep_blockhashes())
            group.create_task(self._keep_polling())
            group.create_task(self._keep_balances())

    @property
    def is_ready(self) -> bool:
        """Whether a swap can be signed now and its effect on our accounts would be heard."""
        return self.ring.is_fresh and any(socket.is_up for socket in self._sockets)

    @property
    def routes(self) -> RoutePolicy:
        """Which aggregator routes `sign` accepts."""
        return self._settings.routes

    # ------------------------------------------------------------------- sign

    def sign(self, swap: DexSwap) -> SignedSwap:
        """Build, check and sign against an aged blockhash (synchronous, no I/O).

        NotSent when the pool is unknown, no fresh hash is at hand, or the firewall refuses.
        """
        ref = self._pool_ref(swap.pool)
        if ref is None:
            raise NotSent(f"no accounts are known of pool {swap.pool}")
        if swap.tip_lamports and not self._settings.tip_accounts:
            raise NotSent("a tip is asked and no tip account is configured")
        blockhash = self.ring.choose()
        message = swap_message(
            swap, ref,
            wallet=self.wallet.owner, blockhash=blockhash.text,
            tip_account=self._choose_tip_account(), ids=self._ids,
        )  # fmt: skip
        raw = to_bytes_versioned(message)
        try:
            check_message(raw, self._expectation(swap, ref, blockhash.text))
        except NotSent:
            self.counters.refused_by_firewall += 1
            raise
        # The very bytes that were checked are signed: one signature, then the message.
        signature = self._keypair.sign_message(raw)
        self.counters.signed += 1
        self._never_sent[str(signature)] = None
        if len(self._never_sent) > _NEVER_SENT_KEPT:
            # Forgetting only makes a later refusal less definite, never more.
            self._never_sent.pop(next(iter(self._never_sent)))
        return SignedSwap(
            signature=str(signature),
            raw=b"\x01" + bytes(signature) + raw,
            blockhash=blockhash.text,
            last_valid_height=blockhash.last_valid_height,
            max_fee_lamports=max_fee_lamports(swap),
        )

    def _expectation(self, swap: DexSwap, ref: PoolRef, blockhash: str) -> Expectation:
        return Expectation(
            swap=swap,
            ref=ref,
            wallet=self.wallet.owner,
            mints=frozenset(self._settings.mints),
            tip_accounts=frozenset(self._settings.tip_accounts),
            blockhash=blockhash,
            limits=self._settings.limits,
            ids=self._ids,
            routes=self._settings.routes,
            now_ns=self._clock.now_ns(),
        )

    def _choose_tip_account(self) -> str:
        """Spread tips over the listed accounts: each is a write lock others compete for."""
        accounts = self._settings.tip_accounts
        if not accounts:
            return ""
        return accounts[min(int(self._rng.uniform(0, len(accounts))), len(accounts) - 1)]

    # ------------------------------------------------------------------- send

    def make_ready(self, raw: bytes) -> None:
        """Encode bytes that may be broadcast next."""
        self.rpc.make_ready(raw)

    async def broadcast(self, raw: bytes) -> None:
        """Hand the same signed bytes to every endpoint; returns at the first acceptance.

        NotSent: no byte left this machine. Rejected: every endpoint that got the bytes
        refused them in terms that exclude forwarding, AND they were signed here and never
        sent before. OutcomeUnknown: anything else, for whoever may have taken them once
        may land them. Sending again is the caller's decision, and safe with these bytes.
        """
        signature = signature_of(raw)
        tasks = [
            asyncio.create_task(self.rpc.send_transaction(raw, endpoint))
            for endpoint in self.rpc.endpoints
        ]
        # Kept alive beyond this call: the slower endpoints may be the ones that land it.
        self._sends.update(tasks)
        for task in tasks:
            task.add_done_callback(self._sends.discard)
        self.counters.sends += 1
        is_first = signature in self._never_sent
        self._never_sent.pop(signature, None)
        # What waits for the answers is made when the requests have been written.
        await asyncio.sleep(0)
        outcomes: list[SendOutcome] = []
        for finished in asyncio.as_completed(tasks):
            outcome = await finished
            if outcome.verdict == "accepted":
                self.counters.accepted_sends += 1
                return
            outcomes.append(outcome)
        self._raise_for(signature, outcomes, is_first=is_first)

    def _raise_for(self, signature: str, outcomes: list[SendOutcome], *, is_first: bool) -> None:
        verdicts = {outcome.verdict for outcome in outcomes}
        reasons = "; ".join(f"{o.endpoint}: {o.verdict} ({o.reason})" for o in outcomes)
        if verdicts == {"not_sent"}:
            if is_first:
                self._never_sent[signature] = None
            raise NotSent(reasons)
        if "unknown" not in verdicts and is_first:
            raise Rejected(reasons)
        raise OutcomeUnknown(reasons)

    # ------------------------------------------------------------------ watch

    def watch(self, signature: str) -> None:
        """Report sightings of this signature to the sink from now on."""
        if self._watch.add(signature, self._clock.monotonic_ns()):
            # Two rounds of the loop later: the swap that follows leaves in the next one.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._want_signature, signature)

    def _want_signature(self, signature: str) -> None:
        for socket in self._sockets:
            socket.want_signature(signature)

    def on_slot(self, endpoint: str, slot: int, recv_ns: int, parent: int | None) -> None:
        """Note which endpoint is freshest."""
        self.rpc.note_slot(endpoint, slot)

    def on_account(self, notice: AccountNotice) -> None:
        """One of our own accounts changed."""
        self._hear(notice)

    def _hear(self, notice: AccountNotice) -> None:
        try:
            balance = self.wallet.hear(
                notice.address, notice.account,
                slot=notice.slot, speaker=notice.endpoint, recv_ns=notice.recv_ns,
            )  # fmt: skip
        except FeedCorrupt:
            self.counters.corrupt_accounts += 1
            return
        if balance is not None:
            self._sink(balance)

    def on_signature(self, notice: SignatureNotice) -> None:
        """A watched signature reached `processed`."""
        sighting = self._watch.notice(notice)
        if sighting is not None:
            self._sink(sighting)

    def on_ready(self, endpoint: str, recv_ns: int) -> None:
        """Subscribed (again): read what was missed before."""
        self._balances_due.set()

    def on_down(self, endpoint: str, reason: str, recv_ns: int) -> None:
        """Nothing to undo: balances are ordered by slot and read again when it is back."""

    async def _keep_polling(self) -> None:
        """Ask for pending signatures: a subscription made after landing stays silent."""
        while True:
            await asyncio.sleep(self._settings.poll_every_s)
            for signature in self._watch.expire(self._clock.monotonic_ns()):
                self._stop_watching(signature)
            pending = self._watch.pending
            if not pending:
                continue
            try:
                read = await self.rpc.signature_statuses(pending, search_history=False)
            except QueryFailed:
                self.counters.failed_polls += 1
                continue
            recv_ns = self._clock.now_ns()
            for signature, status in zip(pending, read.statuses, strict=True):
                sighting = status and self._watch.status(signature, status, recv_ns)
                if sighting:
                    self._stop_watching(signature)
                    self._sink(sighting)

    def _stop_watching(self, signature: str) -> None:
        for socket in self._sockets:
            socket.drop_signature(signature)

    async def _keep_blockhashes(self) -> None:
        while True:
            try:
                latest = await self.rpc.latest_blockhash()
            except QueryFailed:
                self.counters.failed_polls += 1
            else:
                self.ring.add(latest.blockhash, latest.last_valid_block_height)
            await asyncio.sleep(self._settings.blockhash_every_s)

    async def _keep_balances(self) -> None:
        """Read own accounts when the subscriptions were (re)made, and now and then.

        A change that was rolled back with its fork is not always notified.
        """
        while True:
            try:
                async with asyncio.timeout(self._settings.balances_every_s):
                    await self._balances_due.wait()
            except TimeoutError:
                pass
            self._balances_due.clear()
            try:
                read = await self.rpc.multiple_accounts(list(self.wallet.addresses))
            except QueryFailed:
                self.counters.failed_polls += 1
                self._balances_due.set()
                await asyncio.sleep(self._settings.poll_every_s)
                continue
            recv_ns = self._clock.now_ns()
            for address, account in zip(self.wallet.addresses, read.accounts, strict=True):
                self._hear(AccountNotice(READ, address, read.slot, account, recv_ns))

    # --------------------------------------------------------------- evidence

    async def statuses(self, signature: str, *, commitment: Level) -> list[EndpointStatus]:
        """Ask every endpoint, with history search; unreachable endpoints are left out."""
        return await self._evidence.statuses(signature, commitment=commitment)

    async def receipt(self, signature: str, *, commitment: Level) -> DexReceipt | None:
        """Return the landed transaction's record from the first endpoint that has it.

        None when every endpoint that answered has none (yet); QueryFailed when none did.
        """
        return await self._evidence.receipt(signature, commitment=commitment)

    async def balances(self) -> dict[str, int]:
        """Own token balances by mint, raw, all at one slot; "SOL" = native lamports."""
        read = await self.rpc.multiple_accounts(list(self.wallet.addresses), commitment="confirmed")
        try:
            return {
                self.wallet.mint_of[address]: self.wallet.raw_of(address, account)
                for address, account in zip(self.wallet.addresses, read.accounts, strict=True)
            }
        except FeedCorrupt as error:
            raise QueryFailed(f"{read.endpoint}: {error}") from error
