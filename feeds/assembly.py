"""Builds the venue adapters of one process from settings, markets and key files.

The only place where configuration meets adapters: `run_feed` takes a feed from here, the
engine's host takes both feeds and both trading clients. Not here: any protocol, any
decision.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from solders.keypair import Keypair

from arbsite.clock import Clock, system_random
from arbsite.errors import SetupError
from feeds.market.spec import MARK_SYMBOLS
from feeds.models import Market
from feeds.recording.market import MarketContent, MarketRecorder, describe
from feeds.recording.writer import Spool, SpoolLimits
from feeds.routes import RouteDesk, route_policy
from feeds.secret_files import SecretFile
from feeds.sim.seeding import tip_accounts as simulated_tip_accounts
from feeds.venues.base import CexEvent, DexEvent, LandingFee, MarketSink
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.compute_gauge import ComputeGauge
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.fees import FeeGauge
from feeds.venues.solana.programs import PoolRef, ProgramIds
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.trading import SolanaTrading, TradingSettings

SOL_USD = "SOL/USD"
TradingSink = Callable[[CexEvent | DexEvent], None]


def enabled_markets() -> list[Market]:
    """Markets that may be watched: enabled and verified."""
    return list(Market.objects.filter(is_enabled=True, is_verified=True))


def book_symbols(markets: Iterable[Market]) -> list[str]:
    """Every Kraken book the desk needs: pairs, marks of quote assets, SOL for chain fees."""
    markets = list(markets)
    quotes = {market.cex_quote for market in markets} | {market.pool_quote for market in markets}
    marks = {MARK_SYMBOLS[quote] for quote in quotes if quote in MARK_SYMBOLS}
    return sorted({market.cex_symbol for market in markets} | marks | {SOL_USD})


def solana_endpoints() -> tuple[RpcEndpoint, ...]:
    """The labelled RPC nodes of this installation."""
    if not settings.SOLANA_ENDPOINTS:
        raise SetupError(
            "No Solana endpoint is set: write SOLANA_ENDPOINTS=label|provider|http url|ws url."
        )
    return tuple(RpcEndpoint(*parts) for parts in settings.SOLANA_ENDPOINTS)


def market_recorder(
    markets: Iterable[Market], clock: Clock, stem: str = "market"
) -> MarketRecorder | None:
    """Start recording these markets' raw data; None where the settings turn it off.

    `stem` begins the file names: feeds in processes of their own record beside each other.
    """
    if not settings.RECORDING_ENABLED:
        return None
    markets = list(markets)
    description = describe(
        (market.spec for market in markets),
        book_symbols(markets),
        (endpoint.label for endpoint in solana_endpoints()),
        settings.SOLANA_PROGRAMS,
    )
    spool = Spool(
        settings.RECORDINGS,
        MarketContent(description, stem),
        clock=clock,
        software=settings.SPREADLINE_VERSION,
        profile=settings.SPREADLINE_PROFILE,
        writer_id=os.getpid(),
        limits=SpoolLimits(folder_bytes=round(settings.RECORDING_MAX_GB * 1e9)),
    )
    spool.start()
    return MarketRecorder(spool, description)


def solana_programs() -> ProgramIds:
    """Program ids of this installation: mainnet's, with the overrides of SOLANA_PROGRAMS."""
    try:
        return ProgramIds(**settings.SOLANA_PROGRAMS)
    except TypeError as error:
        raise SetupError(f"SOLANA_PROGRAMS: {error}.") from error


def tip_accounts() -> tuple[str, ...]:
    """Where a landing tip may go: the configured accounts; on `sim` the simulator's own."""
    if settings.IS_SIM and not settings.SOLANA_TIP_ACCOUNTS:
        return simulated_tip_accounts()
    accounts: tuple[str, ...] = settings.SOLANA_TIP_ACCOUNTS
    return accounts


def kraken_feed(
    transport: SocketTransport,
    markets: Iterable[Market],
    clock: Clock,
    sink: MarketSink,
    recorder: MarketRecorder | None = None,
) -> KrakenFeed:
    """The Kraken market-data feed over real sockets, recorded where a recorder is given."""
    return KrakenFeed(
        transport,
        settings.KRAKEN_WS_URL,
        book_symbols(markets),
        clock=clock,
        rng=system_random(),
        sink=sink if recorder is None else recorder.around(sink),
        tap=None if recorder is None else recorder.kraken_frame,
    )


def solana_feed(
    transport: SocketTransport,
    markets: Iterable[Market],
    clock: Clock,
    sink: MarketSink,
    recorder: MarketRecorder | None = None,
) -> SolanaFeed:
    """The Solana market-data feed over real sockets, recorded where a recorder is given."""
    return SolanaFeed(
        transport,
        solana_endpoints(),
        [(market.pool, market.pool_kind) for market in markets],  # type: ignore[misc]
        clock=clock,
        rng=system_random(),
        sink=sink,
        tap=recorder,
        ids=solana_programs(),
    )


def pool_ref(market: Market) -> PoolRef:
    """The accounts of a market's pool that never change."""
    mints = (market.base_mint, market.quote_mint)
    mint_a, mint_b = mints if market.base_is_a else mints[::-1]
    return PoolRef(
        market.pool,
        market.pool_kind,  # type: ignore[arg-type]
        mint_a,
        mint_b,
        market.vault_a,
        market.vault_b,
        tick_spacing=market.tick_spacing or 0,
        amm_config=market.amm_config,
        observation=market.observation,
    )


def kraken_credentials() -> Credentials:
    """Read {"key", "secret"} from KRAKEN_KEY_FILE."""
    content = _read_json(Path(settings.KRAKEN_KEY_FILE), "KRAKEN_KEY_FILE", "Kraken API key")
    try:
        return Credentials(content["key"], content["secret"])
    except (TypeError, KeyError) as error:
        raise SetupError(
            'KRAKEN_KEY_FILE must hold {"key": "…", "secret": "…"} as JSON.'
        ) from error


def wallet() -> Keypair:
    """Read the 64 numbers of the wallet's keypair from WALLET_FILE."""
    content = _read_json(Path(settings.WALLET_FILE), "WALLET_FILE", "wallet keypair")
    try:
        return Keypair.from_bytes(bytes(content))
    except (TypeError, ValueError) as error:
        raise SetupError("WALLET_FILE must hold a JSON list of 64 numbers.") from error


def _read_json(path: Path, name: str, what: str) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise SetupError(f"{name}: no {what} at {path} ({error.strerror}).") from error
    except ValueError as error:
        raise SetupError(f"{name}: {path} is not JSON.") from error


class Venues:
    """Both venues of one engine process: feeds into one sink, trading into another.

    `recorder` hears the feeds' raw traffic; it is closed with the sockets.
    """

    def __init__(
        self,
        markets: list[Market],
        *,
        clock: Clock,
        market_sink: MarketSink,
        trading_sink: TradingSink,
        recorder: MarketRecorder | None = None,
    ) -> None:
        self._transport = SocketTransport()
        self._recorder = recorder
        self.kraken_feed = kraken_feed(self._transport, markets, clock, market_sink, recorder)
        self.key_file = SecretFile(Path(settings.KRAKEN_KEY_FILE), kraken_credentials)
        self.wallet_file = SecretFile(Path(settings.WALLET_FILE), wallet)
        keypair, ids = self.wallet_file.value, solana_programs()
        self.wallet = keypair.pubkey()
        refs = {market.pool: pool_ref(market) for market in markets}
        self.routes = RouteDesk(
            self._transport,
            [market.spec for market in markets],
            wallet=str(keypair.pubkey()),
            clock=clock,
            ids=ids,
            last_valid_height=lambda: self.solana.ring.last_valid_height,
            tick_spacings={market.pool: market.tick_spacing or 0 for market in markets},
        )
        followed = self.routes.around(market_sink)
        self.solana_feed = solana_feed(self._transport, markets, clock, followed, recorder)
        self.kraken = KrakenTrading(
            self._transport,
            settings.KRAKEN_WS_AUTH_URL,
            settings.KRAKEN_REST_URL,
            self.key_file.value,
            clock=clock,
            rng=system_random(),
            sink=trading_sink,
        )
        self.solana = SolanaTrading(
            self._transport,
            solana_endpoints(),
            keypair,
            refs.get,
            TradingSettings(
                mints=tuple(
                    sorted({mint for m in markets for mint in (m.base_mint, m.quote_mint)})
                ),
                tip_accounts=tip_accounts(),
                routes=route_policy(),
            ),
            clock=clock,
            rng=system_random(),
            sink=trading_sink,
            ids=ids,
        )
        self._fee_gauge = FeeGauge(self.solana.rpc)
        self.compute = ComputeGauge(
            self.solana.rpc,
            refs.get,
            wallet=str(keypair.pubkey()),
            tip_account=next(iter(tip_accounts()), ""),
            ids=ids,
        )
        # What a swap on the pool write-locks: who pays for these competes with us.
        self._locked = {m.pool: (m.pool, m.vault_a, m.vault_b) for m in markets}

    @property
    def solana_labels(self) -> tuple[str, ...]:
        """Names of the RPC nodes in use."""
        return tuple(endpoint.label for endpoint in solana_endpoints())

    @property
    def can_tip(self) -> bool:
        """Whether a swap may carry a tip."""
        return bool(tip_accounts())

    async def landing_fees(self) -> dict[str, LandingFee]:
        """What landing costs on each pool now; QueryFailed when no node answers."""
        return await self._fee_gauge.read(self._locked)

    def trading_tasks(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What must run before the first order can be sent or resolved."""
        return [("kraken-trading", self.kraken.run()), ("solana-trading", self.solana.run())]

    def feed_tasks(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """The market feeds, hosted in this process."""
        return [
            ("kraken-feed", self.kraken_feed.run()),
            ("solana-feed", self.solana_feed.run()),
            ("route-sampler", self.routes.run()),
        ]

    async def close(self) -> None:
        """Close every socket, then the recording."""
        await self._transport.close()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)
