"""The protocol as it is, and six wrong ones that the proof must catch.

A policy may put a wrapper around an adapter or use another store; the engine, the executor
and the recovery are the same. None of these exists in production code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from arbsite.errors import OutcomeUnknown, Rejected
from feeds.venues.base import (
    CexAck,
    CexFill,
    CexOrder,
    CexOrderState,
    DexSwap,
    SignedSwap,
    TxSighting,
)
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.solana.trading import SolanaTrading
from trading.effects import NoteWindow
from trading.intent import AssetSettings, Intent
from trading.needs import Need
from trading.records import AttemptRecord
from trading.storage.store import TradeStore

VenueWord = CexFill | CexOrderState | TxSighting
HOUR_NS = 3_600_000_000_000


class Policy:
    """The protocol: nothing is changed."""

    name = "protocol"
    expects: tuple[str, ...] = ()
    store_class: type[TradeStore] = TradeStore

    def kraken(self, client: KrakenTrading) -> Any:
        """The Kraken port of the engine."""
        return client

    def solana(self, client: SolanaTrading) -> Any:
        """The Solana port of the engine."""
        return client

    def heard(self, event: VenueWord) -> VenueWord:
        """A word of a venue's stream on its way to the executor."""
        return event


class _Around:
    """An adapter with one habit changed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Resending(_Around):
    async def submit(self, order: CexOrder) -> CexAck:
        try:
            return await self._inner.submit(order)  # type: ignore[no-any-return]
        except OutcomeUnknown:
            # The adapter itself refuses to send an id twice; this policy makes it forget.
            self._inner._sent.pop(order.cl_ord_id, None)
            return await self._inner.submit(order)  # type: ignore[no-any-return]


class ResendOnTimeout(Policy):
    """A lost answer is taken for a lost order."""

    name = "resend on timeout"
    expects = ("I1", "I2")

    def kraken(self, client: KrakenTrading) -> Any:
        return _Resending(client)


class _GivingUp(_Around):
    async def submit(self, order: CexOrder) -> CexAck:
        try:
            return await self._inner.submit(order)  # type: ignore[no-any-return]
        except OutcomeUnknown as error:
            raise Rejected(f"no answer: {error}") from error


class TimeoutIsRejected(Policy):
    """A lost answer is taken for a refusal."""

    name = "timeout = rejected"
    expects = ("I4", "I6", "I10")

    def kraken(self, client: KrakenTrading) -> Any:
        return _GivingUp(client)


class _Bumping(_Around):
    def __init__(self, inner: SolanaTrading) -> None:
        super().__init__(inner)
        self._swaps: dict[bytes, DexSwap] = {}
        self._sent: dict[bytes, int] = {}

    def sign(self, swap: DexSwap) -> SignedSwap:
        signed: SignedSwap = self._inner.sign(swap)
        self._swaps[signed.raw] = swap
        return signed

    async def broadcast(self, raw: bytes) -> None:
        count = self._sent[raw] = self._sent.get(raw, 0) + 1
        swap = self._swaps.get(raw)
        if count > 1 and swap is not None:
            dearer = swap.cu_price_micro_lamports * (1 + count)
            raw = self._inner.sign(
                msgspec.structs.replace(swap, cu_price_micro_lamports=dearer)
            ).raw
        await self._inner.broadcast(raw)


class FeeBumpWhileLive(Policy):
    """A swap that does not land is signed again with a higher fee, the first still alive."""

    name = "fee bump while live"
    expects = ("I2", "I7")

    def solana(self, client: SolanaTrading) -> Any:
        return _Bumping(client)


class _SendsFirst(TradeStore):
    async def record_intent(
        self,
        intent: Intent,
        settings: AssetSettings,
        *,
        trade_id: UUID | None,
        attempts: Sequence[AttemptRecord],
        window: NoteWindow | None = None,
        needs: Sequence[Need] = (),
    ) -> str:
        async def later() -> None:
            await asyncio.sleep(0.05)
            await super(_SendsFirst, self).record_intent(
                intent, settings, trade_id=trade_id, attempts=attempts, window=window, needs=needs
            )

        self.writing = asyncio.ensure_future(later())
        return "recorded"


class IntentAfterSend(Policy):
    """The intent is written while the orders are already on their way."""

    name = "intent after send"
    expects = ("I7",)
    store_class = _SendsFirst


class _Numbering(_Around):
    def __init__(self, inner: KrakenTrading, policy: FillsWithoutVenueIds) -> None:
        super().__init__(inner)
        self._policy = policy

    async def fills(self, *, since_ns: int) -> list[CexFill]:
        found = await self._inner.fills(since_ns=since_ns)
        return [self._policy.renamed(fill) for fill in found]


class FillsWithoutVenueIds(Policy):
    """Every report of a fill gets a number of our own."""

    name = "fills without venue ids"
    expects = ("I4", "I5", "I13")

    def __init__(self) -> None:
        self._count = 0

    def kraken(self, client: KrakenTrading) -> Any:
        return _Numbering(client, self)

    def heard(self, event: VenueWord) -> VenueWord:
        return self.renamed(event) if isinstance(event, CexFill) else event

    def renamed(self, fill: CexFill) -> CexFill:
        """The same fill under the next number."""
        self._count += 1
        return msgspec.structs.replace(fill, fill_id=f"{fill.fill_id}-{self._count}")


class _Patient(_Around):
    async def submit(self, order: CexOrder) -> CexAck:
        later = msgspec.structs.replace(order, deadline_ns=order.deadline_ns + HOUR_NS)
        return await self._inner.submit(later)  # type: ignore[no-any-return]


class NoDeadline(Policy):
    """The venue is not told when an order is too old."""

    name = "no deadline"
    expects = ("I9",)

    def kraken(self, client: KrakenTrading) -> Any:
        return _Patient(client)


WRONG_POLICIES: tuple[type[Policy], ...] = (
    ResendOnTimeout,
    TimeoutIsRejected,
    FeeBumpWhileLive,
    IntentAfterSend,
    FillsWithoutVenueIds,
    NoDeadline,
)
POLICIES: dict[str, type[Policy]] = {"protocol": Policy} | {
    policy.name: policy for policy in WRONG_POLICIES
}
