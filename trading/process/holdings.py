"""What the engine may spend: balances of both venues as last read or streamed.

Kept current by the trading clients' events, corrected by reads of the venues themselves.
Kraken's allows few reads: while its stream shows every balance it is asked by the balance
watch alone. Emits `HoldingsKnown` for the engine; draws the console's inventory frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import psycopg

from arbsite.clock import Clock, at_from_ns, uuid7
from arbsite.events import InventoryFrame, InventoryRow
from feeds.market.spec import MarketSpec
from feeds.venues.base import CexBalance, CexTrading, DexTrading, TokenBalance
from trading.execution.booking import LAMPORT_DECIMALS, SOL
from trading.inputs import HoldingsKnown
from trading.needs import Funds

DRIFT_LIMIT_PCT = 40.0
FRAME_LAG_NS = 1_000_000_000


class Holdings:
    """Balances by our own asset names; chain amounts raw."""

    def __init__(
        self,
        specs: Iterable[MarketSpec],
        kraken: CexTrading,
        solana: DexTrading,
        clock: Clock,
        emit: Callable[[HoldingsKnown], None],
    ) -> None:
        self._kraken_client = kraken
        self._solana_client = solana
        self._clock = clock
        self._emit = emit
        self._specs = list(specs)
        self._names = {spec.base_mint: spec.asset for spec in self._specs}
        self._names |= {spec.quote_mint: spec.pool_quote for spec in self._specs}
        self._decimals = {spec.asset: spec.base_decimals for spec in self._specs}
        self._decimals |= {spec.pool_quote: spec.quote_decimals for spec in self._specs}
        self.kraken: dict[str, Decimal] = {}
        self.solana_raw: dict[str, int] = {}
        self.lamports = 0
        self._read_ns: int | None = None
        self._streamed: dict[str, Decimal] = {}

    async def read(self) -> None:
        """Read both venues; raises QueryFailed when either does not answer."""
        began_ns = self._clock.now_ns()
        self._streamed.clear()
        # The answer may be older than what is streamed while we wait for it.
        self.kraken = await self._kraken_client.balances() | self._streamed
        await self._read_solana()
        # What happened while we asked may be in the answer or not.
        self._read_ns = began_ns
        self._tell()

    async def refresh(self) -> None:
        """Read what the streams do not show; raises QueryFailed as `read` does."""
        if not self._kraken_client.shows_balances:
            await self.read()
            return
        began_ns = self._clock.now_ns()
        await self._read_solana()
        if self._read_ns is None:
            # The first whole picture; frames may lag behind fills. Later ones rest on reads.
            self._read_ns = began_ns - FRAME_LAG_NS
        self._tell()

    async def _read_solana(self) -> None:
        for mint, raw in (await self._solana_client.balances()).items():
            self._take_token(mint, raw)

    def funds(self, fee_floor_lamports: int) -> Funds | None:
        """Balances for the intent's transaction, as old as the last whole read; None before it."""
        if self._read_ns is None:
            return None
        lamports = self.lamports - fee_floor_lamports
        return Funds(dict(self.kraken), dict(self.solana_raw), lamports, self._read_ns)

    def see(self, event: CexBalance | TokenBalance) -> None:
        """Take one streamed balance."""
        if isinstance(event, CexBalance):
            self.kraken[event.asset] = self._streamed[event.asset] = event.balance
        else:
            self._take_token(event.mint, event.raw)
        self._tell()

    def _take_token(self, mint: str, raw: int) -> None:
        if mint == SOL:
            self.lamports = raw
        elif mint in self._names:
            self.solana_raw[self._names[mint]] = raw

    def _tell(self) -> None:
        self._emit(
            HoldingsKnown(
                kraken=dict(self.kraken),
                solana_raw=dict(self.solana_raw),
                at_ns=self._clock.now_ns(),
                lamports=self.lamports,
            )
        )

    def solana(self, asset: str) -> Decimal:
        """Whole units of an asset on the chain."""
        raw = self.solana_raw.get(asset, 0)
        return Decimal(raw).scaleb(-self._decimals.get(asset, LAMPORT_DECIMALS))

    def samples(self) -> list[tuple[str, str, str, Decimal]]:
        """(venue, venue asset, asset, balance) of everything known, for the snapshots."""
        rows = [("kraken", asset, asset, amount) for asset, amount in self.kraken.items()]
        mints = {name: mint for mint, name in self._names.items()}
        rows += [("solana", mints[a], a, self.solana(a)) for a in self.solana_raw]
        rows.append(("solana", SOL, SOL, Decimal(self.lamports).scaleb(-LAMPORT_DECIMALS)))
        return rows

    async def store_samples(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Append one balance sample per venue asset (inventory's telemetry table)."""
        at = at_from_ns(self._clock.now_ns())
        await conn.cursor().executemany(
            "INSERT INTO inventory_balancesnapshot (at, id, venue, venue_asset, asset, balance)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [(at, uuid7(), *sample) for sample in self.samples()],
        )

    def frame(self, marks_usd: dict[str, Decimal]) -> InventoryFrame:
        """Holdings and drift from an even split over the venues, in percent of the total."""
        rows = []
        for asset in sorted({*self._decimals, *self.kraken} - {"USD", "USDT"}):
            kraken, solana = self.kraken.get(asset, Decimal(0)), self.solana(asset)
            if asset == "USDC":
                # The dollar side of the desk: USD and USDT on Kraken face USDC on the chain.
                kraken += self.kraken.get("USD", Decimal(0)) + self.kraken.get("USDT", Decimal(0))
            total = kraken + solana
            share = float(kraken / total * 100) if total else 50.0
            rows.append(
                InventoryRow(
                    asset=asset,
                    kraken=format(kraken, "f"),
                    solana=format(solana, "f"),
                    total_usd=f"{total * marks_usd.get(asset, Decimal(1)):.2f}",
                    kraken_share_pct=share,
                    drift_pct=2 * (share - 50.0),
                    limit_pct=DRIFT_LIMIT_PCT,
                )
            )
        return InventoryFrame(rows=tuple(rows), at_ns=self._clock.now_ns())
