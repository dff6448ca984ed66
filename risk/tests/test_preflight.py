"""Preflight against the simulated venues: green when all is well, and each red by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import override_settings

from arbsite.clock import LoopClock, utc_now
from arbsite.errors import DomainError
from feeds.models import Market
from feeds.sim import seeding
from feeds.still_venues import ENDPOINTS, SimVenues
from feeds.tests.conformance.venues import run_patient
from risk import desk_limits, services
from risk.inspection import Check, is_green
from risk.models import Control, DeskLimits, Inspection
from risk.preflight import Preflight, fee_floor_sol, local_checks


def sol() -> Market:
    spec = seeding.market_of("SOL").spec
    return Market(
        asset="SOL", cex_symbol="SOL/USD", cex_quote="USD", price_precision=2, qty_precision=8,
        qty_min_lots=2_000_000, cost_min=Decimal("0.5"), pool=spec.pool, pool_kind="whirlpool",
        pool_quote="USDC", base_mint=spec.base_mint, quote_mint=spec.quote_mint, base_is_a=True,
        base_decimals=9, quote_decimals=6, verified_at=utc_now(), is_verified=True,
    )  # fmt: skip


@pytest.fixture
def sim_settings(tmp_path: Path) -> Iterator[None]:
    keys = seeding.simulated_credentials()
    (tmp_path / "key").write_text(
        json.dumps({"key": keys.kraken_key, "secret": keys.kraken_secret})
    )
    (tmp_path / "wallet").write_text(json.dumps(list(keys.wallet_secret)))
    with override_settings(
        KRAKEN_REST_URL="http://kraken.sim",
        KRAKEN_KEY_FILE=tmp_path / "key",
        WALLET_FILE=tmp_path / "wallet",
        SOLANA_ENDPOINTS=tuple((e.label, e.provider, e.url, e.ws_url) for e in ENDPOINTS),
        SOLANA_PROGRAMS={},
    ):
        yield


def look(
    arrange: Callable[[SimVenues], None] = lambda _: None,
    markets: list[Market] | None = None,
    floor: str = "0",
) -> dict[str, Check]:
    async def ask() -> list[Check]:
        venues = SimVenues()
        venues.start()
        transport = venues.transport()
        try:
            await asyncio.sleep(5)
            arrange(venues)
            found = [sol()] if markets is None else markets
            look = Preflight(transport, venues.clock, fee_floor_sol=Decimal(floor))
            return await look.run(found)
        finally:
            await venues.stop()

    return {check.name: check for check in run_patient(ask())}


def test_all_is_green_on_healthy_venues(sim_settings: None) -> None:
    checks = look()
    assert len(checks) == 10
    assert [check for check in checks.values() if not check.is_green] == []
    # One tick for the smallest lot is below the venue's cost minimum: a word on the order
    # itself, which a key without the permission would not have got.
    assert checks["kraken key trades"].seen == "EOrder:Cost minimum not met"
    assert checks["taker fees"].seen == "SOL/USD 10.0 bps"


@pytest.mark.parametrize(
    ("knob", "value", "name", "words"),
    [
        ("kraken.key_may_withdraw", True, "kraken key cannot withdraw", "may withdraw"),
        ("kraken.key_revoked", True, "kraken key trades", "EAPI:Invalid key"),
        ("kraken.invalid_nonce_p", 1.0, "kraken nonce", "EAPI:Invalid nonce"),
        ("kraken.html_502_p", 1.0, "taker fees", "HTTP 502"),
        ("solana.rpc_429_p", 1.0, "blockhash", "could not be asked"),
    ],
)
def test_what_is_wrong_is_red_with_a_remedy(
    sim_settings: None, knob: str, value: bool | float, name: str, words: str
) -> None:
    checks = look(lambda venues: venues.faults.set(knob, value))
    assert not checks[name].is_green
    assert words in checks[name].seen
    assert checks[name].remedy


def test_a_clock_that_is_off_is_red(sim_settings: None) -> None:
    class Late(LoopClock):
        def now_ns(self) -> int:
            return super().now_ns() - 5_000_000_000

    async def ask() -> list[Check]:
        venues = SimVenues()
        venues.start()
        try:
            return await Preflight(venues.transport(), Late()).run([sol()])
        finally:
            await venues.stop()

    checks = {check.name: check for check in run_patient(ask())}
    assert not checks["kraken clock"].is_green
    assert "-5" in checks["kraken clock"].seen


def test_one_provider_is_not_two(sim_settings: None) -> None:
    one = ENDPOINTS[0]
    with override_settings(SOLANA_ENDPOINTS=((one.label, one.provider, one.url, one.ws_url),)):
        checks = look()
    assert not checks["rpc providers"].is_green


def test_a_token_account_that_is_not_open_is_named(sim_settings: None) -> None:
    market = sol()
    market.quote_mint = market.pool
    checks = look(markets=[market])
    assert checks["token accounts"].seen == f"missing for {market.pool}"


def test_a_wallet_needs_its_fees_above_the_floor(sim_settings: None) -> None:
    # The simulated wallet has 5 SOL.
    assert look(floor="4.95")["wallet SOL"].is_green
    short = look(floor="4.96")["wallet SOL"]
    assert (short.is_green, short.seen) == (False, "5.0000 SOL, 5.0100 needed")


@pytest.mark.django_db
def test_a_desk_without_limits_is_red() -> None:
    DeskLimits.objects.all().delete()
    assert fee_floor_sol() == 0
    assert not {c.name: c for c in local_checks([sol()])}["desk limits"].is_green
    desk_limits.seed_first()
    assert fee_floor_sol() == Decimal("0.05")
    assert {c.name: c for c in local_checks([sol()])}["desk limits"].is_green


@pytest.mark.django_db
def test_markets_and_database_are_looked_at_here() -> None:
    old = sol()
    old.verified_at = utc_now() - timedelta(days=8)
    found = {check.name: check for check in local_checks([old])}
    assert found["database"].is_green
    assert found["markets"].seen == "not verified for a week: SOL"
    assert not {c.name: c for c in local_checks([])}["markets"].is_green
    assert {c.name: c for c in local_checks([sol()])}["markets"].is_green


GREEN = [Check("one", True, "fine")]
RED = [Check("two", False, "broken", "mend it")]


def go_live() -> None:
    services.go_live("*", user="ann", key=str(uuid4()), reason="open")


@pytest.mark.django_db
def test_going_live_needs_a_fresh_green_preflight_and_no_red_canary() -> None:
    assert not is_green([])
    services.set_first_mode("*", "observe", actor="test", reason="test")
    with override_settings(IS_SIM=False):
        with pytest.raises(DomainError, match="needs a preflight of the last 15 minutes"):
            go_live()
        services.record_inspection("preflight", RED, actor="test")
        with pytest.raises(DomainError, match=r"Preflight: red\. two: broken - mend it"):
            go_live()
        services.record_inspection("preflight", GREEN, actor="test")
        services.record_inspection("canary", RED, actor="engine")
        with pytest.raises(DomainError, match="Canaries: red"):
            go_live()
        services.record_inspection("canary", GREEN, actor="engine")
        Inspection.objects.filter(kind="preflight").update(at=utc_now() - timedelta(minutes=16))
        with pytest.raises(DomainError, match="last 15 minutes"):
            go_live()
        services.record_inspection("preflight", GREEN, actor="test")
        go_live()
    assert Control.objects.get(scope="*").mode == "live"


@pytest.mark.django_db
def test_the_simulator_needs_none() -> None:
    services.set_first_mode("*", "observe", actor="test", reason="test")
    with override_settings(IS_SIM=True):
        go_live()
    assert Control.objects.get(scope="*").mode == "live"
