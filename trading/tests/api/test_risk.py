"""The residual risk: the product of its inputs, bounded by the desk, told with all of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from arbsite.clock import SystemClock, utc_now
from arbsite.tests.auth.people import signed_in
from risk.models import DeskLimits, RiskDay
from trading.models import AssetConfig, Trade
from trading.tests.intents import open_desk
from trading.worst_case import MODEL_PROOF_S, AssetAtRisk, adverse_bps, worst_case

money = st.decimals(0, 10**6, places=2)


def test_three_sigmas_of_eighty_per_cent_a_year() -> None:
    # 0.9 bps a slot of 400 ms is what the domain states for 80 % a year.
    assert adverse_bps(0.4) == pytest.approx(3 * 0.9, rel=0.01)
    assert adverse_bps(4 * 30.0) == pytest.approx(2 * adverse_bps(30.0))


@given(st.lists(money, max_size=5), money, money, st.floats(0, 600))
def test_the_number_is_its_inputs_product_and_never_too_low(
    most: list[Decimal], max_open: Decimal, open_usd: Decimal, naked_s: float
) -> None:
    assets = [AssetAtRisk(f"A{n}", usd) for n, usd in enumerate(most)]
    found = worst_case(assets, max_open_usd=max_open, open_usd=open_usd, longest_naked_s=naked_s)
    assert found.proof_s == max(naked_s, MODEL_PROOF_S)
    assert found.concurrent_trades == 2 * len(most)
    notional = min(2 * sum(most, start=Decimal(0)), max_open)
    exact = notional * Decimal(repr(found.adverse_bps)) / 10_000
    assert exact <= Decimal(found.usd) <= exact + Decimal("0.01")
    assert (found.bound_by == "desk_open") == (max_open < 2 * sum(most, start=Decimal(0)))
    now = open_usd * Decimal(repr(found.adverse_bps)) / 10_000
    assert now <= Decimal(found.now_usd) <= now + Decimal("0.01")


@pytest.mark.django_db
def test_the_api_tells_limits_use_and_the_worst_case() -> None:
    cache.clear()
    open_desk("SOL", "JUP")
    AssetConfig.objects.filter(asset="JUP").update(max_notional_usd=Decimal(700))
    now_ns = SystemClock().now_ns()
    RiskDay.objects.create(
        day=utc_now().date(),
        asset="SOL",
        notional_used=Decimal(300),
        notional_reserved=Decimal(150),
    )
    for number, state in enumerate(("open", "operator", "closed")):
        Trade.objects.create(
            id=f"00000000-0000-7000-8000-00000000000{number}",
            intent_key=f"00000000-0000-7000-8000-0000000000a{number}",
            window_id="00000000-0000-7000-8000-0000000000b0",
            asset="SOL", direction=f"d{number}", leg_order="concurrent", state=state,
            is_settled=state == "closed", config_version=1, size_base=1, notional_usd=150,
            expected_pnl_usd=1, detect_ns=now_ns, risk_day="2026-01-01",
            naked_from_ns=now_ns, naked_until_ns=now_ns + 45_000_000_000 * (number == 2),
        )  # fmt: skip
    client = signed_in("viewer")
    shown = client.get("/v1/risk").json()
    assert (shown["open_usd"], shown["day_usd"]) == ("300", "450")
    assert shown["limits"]["max_open_usd"] == "100000"
    case = shown["worst_case"]
    assert (case["concurrent_trades"], case["notional_usd"]) == (4, "11400.00")
    assert (case["proof_s"], case["proof_source"]) == (45.0, "measured")
    assert case["bound_by"] == "assets"
    DeskLimits.objects.update(max_open_usd=Decimal(5_000))
    case = client.get("/v1/risk").json()["worst_case"]
    assert (case["bound_by"], case["notional_usd"]) == ("desk_open", "5000.00")
    DeskLimits.objects.all().delete()
    assert client.get("/v1/risk").status_code == 404
