"""Builds the venue adapters of one process from settings, markets and key files.

The only place where configuration meets adapters: `run_feed` takes a feed from here, the
engine's host takes both feeds and both trading clients. Not here: any protocol, any
decision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from solders.keypair import Keypair

from arbsite.clock import Clock, system_random
from arbsite.errors import SetupError
from feeds.market.spec import MARK_SYMBOLS
from feeds.models import Market
from feeds.venues.base import CexEvent, DexEvent, MarketSink
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.feed import KrakenFeed
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.programs import PoolRef
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


def kraken_feed(
    transport: SocketTransport, markets: Iterable[Market], clock: Clock, sink: MarketSink
) -> KrakenFeed:
    """The Kraken market-data feed over real sockets."""
    return KrakenFeed(
        transport,
        settings.KRAKEN_WS_URL,
        book_symbols(markets),
        clock=clock,
        rng=system_random(),
        sink=sink,
    )


def solana_feed(
    transport: SocketTransport, markets: Iterable[Market], clock: Clock, sink: MarketSink
) -> SolanaFeed:
    """The Solana market-data feed over real sockets."""
    return SolanaFeed(
        transport,
        solana_endpoints(),
        [(market.pool, market.pool_kind) for market in markets],  # type: ignore[misc]
        clock=clock,
        rng=system_random(),
        sink=sink,
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
    """Both venues of one engine process: feeds into one sink, trading into another."""

    def __init__(
        self,
        markets: list[Market],
        *,
        clock: Clock,
        market_sink: MarketSink,
        trading_sink: TradingSink,
    ) -> None:
        self._transport = SocketTransport()
        self.kraken_feed = kraken_feed(self._transport, markets, clock, market_sink)
        self.solana_feed = solana_feed(self._transport, markets, clock, market_sink)
        self.kraken = KrakenTrading(
            self._transport,
            settings.KRAKEN_WS_AUTH_URL,
            settings.KRAKEN_REST_URL,
            kraken_credentials(),
            clock=clock,
            rng=system_random(),
            sink=trading_sink,
        )
        self.solana = SolanaTrading(
            self._transport,
            solana_endpoints(),
            wallet(),
            {market.pool: pool_ref(market) for market in markets}.get,
            TradingSettings(
                mints=tuple(
                    sorted({mint for m in markets for mint in (m.base_mint, m.quote_mint)})
                ),
                tip_accounts=settings.SOLANA_TIP_ACCOUNTS,
            ),
            clock=clock,
            rng=system_random(),
            sink=trading_sink,
        )

    @property
    def solana_labels(self) -> tuple[str, ...]:
        """Names of the RPC nodes in use."""
        return tuple(endpoint.label for endpoint in solana_endpoints())

    def trading_tasks(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What must run before the first order can be sent or resolved."""
        return [("kraken-trading", self.kraken.run()), ("solana-trading", self.solana.run())]

    def feed_tasks(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """The market feeds, hosted in this process."""
        return [("kraken-feed", self.kraken_feed.run()), ("solana-feed", self.solana_feed.run())]

    async def close(self) -> None:
        """Close every socket."""
        await self._transport.close()
