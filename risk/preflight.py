"""The look at both venues, the keys and this machine before a desk goes live.

Every check answers by itself: one that cannot be asked is red and says so. Nothing is
traded: the one order is `validate=true`, which the venue checks and does not take. Called
by `manage.py preflight`.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from arbsite.clock import Clock, system_random, utc_now
from arbsite.errors import FeedCorrupt, QueryFailed
from feeds import assembly
from feeds.models import Market
from feeds.venues.kraken.account import KrakenAccount
from feeds.venues.kraken.limits import INTERMEDIATE
from feeds.venues.kraken.rest import KrakenRest, VenueRefused
from feeds.venues.solana.programs import associated_token_address
from feeds.venues.solana.rpc import SolanaRpc
from feeds.venues.transport import Transport
from risk.desk_limits import DESK
from risk.inspection import Check
from risk.models import DeskLimits

# The order's deadline is the venue's clock against ours: half a second of it is ours to lose.
MOST_CLOCK_SKEW_S: Final = 1.5
MOST_HEIGHT_LAG: Final = 20
# Above the desk's floor, which no intent may touch.
LEAST_SOL_LAMPORTS: Final = 50_000_000
MOST_MARKET_AGE_DAYS: Final = 7
LEAST_FREE_DISK: Final = 0.2
_SOL: Final = Decimal(10**9)
REMEDIES: Final = {
    "kraken clock": "set this machine's clock by NTP",
    "kraken key trades": "give the key the permissions to query and to create and modify orders",
    "kraken key cannot withdraw": "take the withdraw permission from the trading key",
    "kraken nonce": "stop whatever else uses this key, or raise its nonce window",
    "taker fees": "check the pair names; an unknown fee refuses every trade",
    "rpc providers": "name endpoints of two providers in SOLANA_ENDPOINTS",
    "rpc heights": "take the endpoint that lags out of SOLANA_ENDPOINTS",
    "blockhash": "check the RPC endpoints",
    "wallet SOL": "send SOL for fees to the wallet, or approve a lower floor",
    "desk limits": "run manage.py seed, then set the desk's limits in the admin pages",
    "token accounts": "open the missing token accounts of the wallet",
    "database": "run manage.py migrate",
    "markets": "run manage.py sync_markets",
    "disk": "free some disk space",
}


class Preflight:
    """The checks over one transport; `run` gives them all, in the order of a table."""

    def __init__(
        self, transport: Transport, clock: Clock, *, fee_floor_sol: Decimal = Decimal(0)
    ) -> None:
        self._clock = clock
        self._fee_floor_sol = fee_floor_sol
        self._rest = KrakenRest(
            transport, settings.KRAKEN_REST_URL, assembly.kraken_credentials(), clock,
            tier=INTERMEDIATE,
        )  # fmt: skip
        self._account = KrakenAccount(self._rest, clock)
        self._rpc = SolanaRpc(
            transport, assembly.solana_endpoints(), clock=clock, rng=system_random(), timeout_s=5.0
        )

    async def run(self, markets: list[Market]) -> list[Check]:
        """Look at everything that needs a venue."""
        looks: dict[str, Callable[[], Awaitable[Check]]] = {
            "kraken clock": self._clock_offset,
            "kraken key trades": lambda: self._may_trade(markets),
            "kraken key cannot withdraw": self._cannot_withdraw,
            "kraken nonce": self._nonce,
            "taker fees": lambda: self._fees(markets),
            "rpc providers": self._providers,
            "rpc heights": self._heights,
            "blockhash": self._blockhash,
            "wallet SOL": self._fees_in_sol,
            "token accounts": lambda: self._token_accounts(markets),
        }
        return [await _ask(name, look) for name, look in looks.items()]

    async def _clock_offset(self) -> Check:
        server_ns = await self._account.server_time_ns()
        # The venue answers in whole seconds, cut off: its middle is half a second later.
        offset_s = (self._clock.now_ns() - server_ns) / 1e9 - 0.5
        return _check(abs(offset_s) <= MOST_CLOCK_SKEW_S, f"{offset_s:+.1f} s off")

    async def _may_trade(self, markets: list[Market]) -> Check:
        """Have the smallest order of the first market checked, not taken."""
        if not markets:
            return _check(False, "no market to check an order of")
        market = markets[0]
        lots = Decimal(market.qty_min_lots).scaleb(-market.qty_precision)
        order = {
            "pair": market.cex_symbol, "type": "buy", "ordertype": "limit", "timeinforce": "IOC",
            "volume": format(lots, "f"), "price": format(_tick(market), "f"), "validate": "true",
        }  # fmt: skip
        try:
            await self._rest.private("AddOrder", order, cost=0)
        except VenueRefused as refused:
            # A refusal of the order itself means that the key may place orders.
            return _check(refused.error.startswith("EOrder:"), refused.error)
        return _check(True, f"an order of {lots} {market.asset} was validated")

    async def _cannot_withdraw(self) -> Check:
        try:
            await self._rest.private("WithdrawMethods", {"asset": "SOL"})
        except VenueRefused as refused:
            return _check("Permission denied" in refused.error, refused.error)
        return _check(False, "the key may withdraw")

    async def _nonce(self) -> Check:
        for _ in range(2):
            await self._rest.private("GetWebSocketsToken")
        return _check(True, "two calls in a row were taken")

    async def _fees(self, markets: list[Market]) -> Check:
        symbols = [market.cex_symbol for market in markets]
        fees = await self._account.taker_fees(symbols)
        missing = sorted(set(symbols) - set(fees))
        shown = ", ".join(f"{symbol} {fee * 10_000:.1f} bps" for symbol, fee in fees.items())
        return _check(not missing, f"unknown for {', '.join(missing)}" if missing else shown)

    async def _providers(self) -> Check:
        """Proving a swap dead takes two providers; one gives a weaker proof and lower limits."""
        providers = {endpoint.provider for endpoint in self._rpc.endpoints}
        return _check(len(providers) >= 2, ", ".join(sorted(providers)))

    async def _heights(self) -> Check:
        heights = {
            endpoint.label: await self._rpc.block_height(endpoint=endpoint)
            for endpoint in self._rpc.endpoints
        }
        lag = max(heights.values()) - min(heights.values())
        shown = ", ".join(f"{label} {height}" for label, height in heights.items())
        return _check(lag <= MOST_HEIGHT_LAG, shown)

    async def _blockhash(self) -> Check:
        latest = await self._rpc.latest_blockhash()
        left = latest.last_valid_block_height - await self._rpc.block_height()
        return _check(left > 0, f"{left} blocks left")

    async def _fees_in_sol(self) -> Check:
        held = Decimal(await self._rpc.balance(_wallet_address())) / _SOL
        least = self._fee_floor_sol + LEAST_SOL_LAMPORTS / _SOL
        return _check(held >= least, f"{held:.4f} SOL, {least:.4f} needed")

    async def _token_accounts(self, markets: list[Market]) -> Check:
        ids, owner = assembly.solana_programs(), _wallet_address()
        mints = sorted({mint for m in markets for mint in (m.base_mint, m.quote_mint)})
        if not mints:
            return _check(False, "no market names a mint")
        addresses = [associated_token_address(owner, mint, ids) for mint in mints]
        read = await self._rpc.multiple_accounts(addresses, commitment="confirmed")
        pairs = zip(mints, read.accounts, strict=True)
        missing = [mint for mint, account in pairs if account is None]
        return _check(not missing, f"missing for {', '.join(missing)}" if missing else "all open")


def local_checks(markets: list[Market]) -> list[Check]:
    """Look at the database, the markets and the disk."""
    plan = MigrationExecutor(connection)
    pending = plan.migration_plan(plan.loader.graph.leaf_nodes())
    usage = shutil.disk_usage(settings.HOME.path)
    free = usage.free / usage.total
    return [
        _named("database", _check(not pending, f"{len(pending)} migrations pending")),
        _named("markets", _markets_check(markets)),
        _named("desk limits", _desk_limits_check()),
        _named("disk", _check(free >= LEAST_FREE_DISK, f"{free:.0%} free")),
    ]


def fee_floor_sol() -> Decimal:
    """Native SOL that no intent may count on, by the desk's limits; 0 while it has none."""
    limits = DeskLimits.objects.filter(scope=DESK, status="in_force").first()
    return limits.fee_floor_sol if limits is not None else Decimal(0)


def _desk_limits_check() -> Check:
    limits = DeskLimits.objects.filter(scope=DESK, status="in_force").first()
    if limits is None:
        return _check(False, "none in force")
    return _check(True, f"version {limits.version} by {limits.created_by}")


def _markets_check(markets: list[Market]) -> Check:
    now = utc_now()
    old = [
        market.asset
        for market in markets
        if market.verified_at is None or (now - market.verified_at).days >= MOST_MARKET_AGE_DAYS
    ]
    if not markets:
        return _check(False, "none is enabled and verified")
    if old:
        return _check(False, f"not verified for a week: {', '.join(old)}")
    return _check(True, ", ".join(market.asset for market in markets))


async def _ask(name: str, look: Callable[[], Awaitable[Check]]) -> Check:
    try:
        seen = await look()
    except (QueryFailed, FeedCorrupt) as error:
        seen = _check(False, f"could not be asked: {error}"[:200])
    return _named(name, seen)


def _named(name: str, seen: Check) -> Check:
    return Check(name, seen.is_green, seen.seen, "" if seen.is_green else REMEDIES[name])


def _check(is_green: bool, seen: str) -> Check:
    return Check("", is_green, seen)


def _tick(market: Market) -> Decimal:
    return Decimal(market.price_increment_ticks).scaleb(-market.price_precision)


def _wallet_address() -> str:
    return str(assembly.wallet().pubkey())
