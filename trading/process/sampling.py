"""OBSERVE on real venues: a share of what is only stored is shown to both, and traded at neither.

Kraken checks the order (`validate`), a Solana node simulates the swap as it would have been
signed; what they say is kept with the decision. Several refusals in a row mean that LIVE
would fail: an incident says so. Called by the engine's host. Not here: sending anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from arbsite.clock import Clock, uuid7
from arbsite.errors import FeedCorrupt, NotSent, QueryFailed
from arbsite.logs import event_logger
from arbsite.units import decimal_from_int
from feeds.venues.base import CexOrder, DexSwap
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.solana.rehearsal import rehearse
from feeds.venues.solana.trading import SolanaTrading
from trading.intent import Intent
from trading.storage.store import TradeStore

log = event_logger(__name__)
REFUSALS_IN_A_ROW: Final = 5
STORED_WITHIN_TRIES: Final = 20
STORED_LOOK_S: Final = 0.25
_PARTS: Final = 10_000


class Sample(msgspec.Struct, frozen=True):
    """What the venues said of one decision; empty = they would have taken it.

    `dex_quote_raw` is what the node's simulation moved of the quote mint, beside the
    decision's `dex_expected_raw`; the pool may have moved in between.
    """

    cex_refusal: str
    dex_refusal: str
    dex_quote_raw: int | None
    dex_expected_raw: int
    at_ns: int

    @property
    def is_refused(self) -> bool:
        """Whether a venue would have refused its leg."""
        return bool(self.cex_refusal or self.dex_refusal)


class Sampler:
    """Samples a `share` (0..1) of the decisions of one engine process."""

    def __init__(
        self,
        kraken: KrakenTrading,
        solana: SolanaTrading,
        store: TradeStore,
        clock: Clock,
        *,
        share: float,
        report: Callable[[str, str, str], Awaitable[None]],
    ) -> None:
        self._kraken = kraken
        self._solana = solana
        self._store = store
        self._clock = clock
        self._share = share
        self._report = report
        self._refused = 0

    def wants(self, intent: Intent) -> bool:
        """Whether this stored decision is in the sample; the same answer for the same key."""
        is_direct = intent.quote_source == "pool"
        part: int = intent.intent_key.int % _PARTS
        return intent.mode == "observe" and is_direct and part < self._share * _PARTS

    async def sample(self, intent: Intent) -> None:
        """Ask both venues, keep their words with the decision, count refusals in a row."""
        sample = await self._ask(intent)
        await self._keep(intent, sample)
        if not sample.is_refused:
            self._refused = 0
            return
        self._refused += 1
        why = sample.cex_refusal or sample.dex_refusal
        log.warning("sample.refused", asset=intent.asset, why=why, in_a_row=self._refused)
        if self._refused == REFUSALS_IN_A_ROW:
            text = f"{self._refused} sampled decisions in a row would have been refused: {why}"
            await self._report(text[:500], str(self._refused), str(REFUSALS_IN_A_ROW))

    async def _ask(self, intent: Intent) -> Sample:
        cex, (dex, moved) = await asyncio.gather(self._ask_kraken(intent), self._ask_solana(intent))
        return Sample(cex, dex, moved, intent.dex_expected_quote_raw, self._clock.now_ns())

    async def _ask_kraken(self, intent: Intent) -> str:
        spec = intent.spec
        order = CexOrder(
            cl_ord_id=str(uuid7()),
            symbol=spec.cex_symbol,
            side=intent.cex_side,
            qty=Decimal(intent.qty_lots).scaleb(-spec.qty_precision),
            limit_price=decimal_from_int(intent.cex_limit_ticks, spec.price_precision),
            deadline_ns=self._clock.now_ns() + intent.order_deadline_ms * 1_000_000,
            validate=True,
        )
        try:
            return await self._kraken.judge_order(order)
        except QueryFailed as error:
            return f"not answered: {error}"[:200]

    async def _ask_solana(self, intent: Intent) -> tuple[str, int | None]:
        swap = DexSwap(
            pool=intent.spec.pool,
            pool_kind=intent.spec.pool_kind,
            a_to_b=intent.dex_a_to_b,
            exact_in=intent.dex_exact_in,
            amount_raw=intent.base_raw,
            threshold_raw=intent.dex_threshold_raw,
            tick_array_starts=intent.tick_array_starts,
            cu_limit=intent.cu_limit,
            cu_price_micro_lamports=intent.cu_price_micro_lamports,
            tip_lamports=intent.tip_lamports,
        )
        try:
            seen = await rehearse(self._solana, swap)
        except (NotSent, QueryFailed, FeedCorrupt) as error:
            return f"not simulated: {error}"[:200], None
        moved = seen.deltas_raw.get(intent.spec.quote_mint)
        return (seen.error or "")[:200], None if moved is None else abs(moved)

    async def _keep(self, intent: Intent, sample: Sample) -> None:
        """Write it to the decision's row, which another task is about to store."""
        words = Jsonb(msgspec.to_builtins(sample))
        for _ in range(STORED_WITHIN_TRIES):
            try:
                async with self._store.connection() as conn:
                    done = await conn.execute(
                        "UPDATE trading_opportunity SET sample = %s WHERE intent_key = %s",
                        [words, intent.intent_key],
                    )
            except psycopg.OperationalError as error:
                # A sample is worth less than the process: it is tried again, then let go.
                log.info("sample.waits_for_database", error=str(error)[:200])
            else:
                if done.rowcount:
                    return
            await asyncio.sleep(STORED_LOOK_S)
        log.warning("sample.not_kept", intent_key=str(intent.intent_key))
