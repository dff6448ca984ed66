"""One engine process's venues, put together from settings and key files without a network."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from arbsite.clock import SystemClock
from feeds import assembly
from feeds.market.events import MarketEvent, PoolUpdated, SlotAdvanced
from feeds.models import Market
from feeds.sim import seeding
from feeds.venues.solana.route_firewall import RoutePolicy


@pytest.fixture
def keys(settings: Any, tmp_path: Path) -> None:
    """The simulator's credentials as files."""
    credentials = seeding.simulated_credentials()
    settings.KRAKEN_KEY_FILE = tmp_path / "kraken.json"
    settings.KRAKEN_KEY_FILE.write_text(
        json.dumps({"key": credentials.kraken_key, "secret": credentials.kraken_secret})
    )
    settings.WALLET_FILE = tmp_path / "wallet.json"
    settings.WALLET_FILE.write_text(json.dumps(list(credentials.wallet_secret)))


def market() -> Market:
    """The simulated SOL market as the database would hold it, not saved."""
    known = seeding.market_of("SOL")
    fields = {name: getattr(known.spec, name) for name in known.spec.__struct_fields__}
    fields["cost_min"] = Decimal(known.spec.cost_min)
    vault_a, vault_b = known.vaults
    return Market(**fields, vault_a=vault_a, vault_b=vault_b, tick_spacing=4)


@pytest.mark.usefixtures("keys")
async def test_the_engines_venues_follow_the_pools_for_jupiter(settings: Any) -> None:
    seen: list[MarketEvent] = []
    venues = assembly.Venues(
        [market()],
        clock=SystemClock(),
        market_sink=seen.append,
        trading_sink=lambda _: None,
    )
    tasks = dict(venues.feed_tasks())
    for work in tasks.values():
        work.close()
    assert set(tasks) == {"kraken-feed", "solana-feed", "route-sampler"}
    sink = venues.routes.around(seen.append)
    known = seeding.market_of("SOL")
    told: list[MarketEvent] = [
        PoolUpdated(known.spec.pool, 9, known.pool, 1),
        SlotAdvanced(9, 0, 1),
    ]
    for event in told:
        sink(event)
    assert seen == told
    assert venues.routes.chain.pools == {known.spec.pool: known.pool}
    # Nothing is known of the chain's height before the first blockhash.
    assert venues.routes.chain.last_valid_height == 0
    venues.solana.ring.add("hash", 1_150)
    assert venues.routes.chain.last_valid_height == 1_150
    own = venues.routes.client.settings.own_accounts
    assert own == set(venues.solana.wallet.addresses) - {venues.solana.wallet.owner}
    await venues.close()


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("is_on", "expected"), [(False, RoutePolicy()), (True, RoutePolicy(dexes=frozenset({"cpmm"})))]
)
async def test_the_signing_side_gets_the_policy_of_the_settings(
    settings: Any, is_on: bool, expected: RoutePolicy
) -> None:
    settings.JUPITER_FALLBACK = is_on
    settings.JUPITER_DEXES = ("Raydium CP",)
    venues = assembly.Venues(
        [market()], clock=SystemClock(), market_sink=lambda _: None, trading_sink=lambda _: None
    )
    assert venues.solana.routes == expected
    await venues.close()
