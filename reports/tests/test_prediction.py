"""The error loop over booked rows: causes, figures, and a haircut that a person approves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from arbsite.clock import at_from_ns, utc_now, uuid7
from arbsite.errors import DomainError
from arbsite.models import User
from arbsite.tests.auth.people import signed_in
from reports import prediction
from trading.models import AssetConfig, Attempt, EngineLease, Fill, LedgerEntry, Opportunity, Trade
from trading.tests.intents import NOW_NS, make_intent, make_pnl, open_desk

D = Decimal


def booked(number: int, *, slip: str = "0", lands: bool = True) -> Trade:
    """A DEX-first trade of 1 SOL; `slip` USD less than quoted came from the book."""
    # 152 - 150 - 0.152 - 0.001 if it lands; the odds take 0.347 of it.
    pnl = msgspec.structs.replace(make_pnl(), failure_cost=D("0.347"))
    intent = make_intent(number, order="dex_first", decided_ns=NOW_NS + number, pnl=pnl)
    Opportunity.objects.create(
        intent_key=intent.intent_key, window_id=intent.window_id, asset="SOL",
        direction=intent.direction, mode="live", size_base=1, notional_usd=intent.notional_usd,
        expected_pnl_usd=intent.pnl.expected, config_version=1, decided_ns=intent.decided_ns,
        intent=msgspec.to_builtins(intent),
    )  # fmt: skip
    sol = intent.marks_usd["SOL"]
    realised = D(152) - D(slip) - D(150) - D("0.152") if lands else D(0)
    trade = Trade.objects.create(
        id=uuid7(), intent_key=intent.intent_key, window_id=intent.window_id, asset="SOL",
        direction=intent.direction, leg_order="dex_first", state="closed", is_settled=True,
        outcome="both" if lands else "missed", is_verified=True, config_version=1, size_base=1,
        notional_usd=intent.notional_usd, expected_pnl_usd=intent.pnl.expected,
        realised_pnl_usd=realised - D("0.000005") * sol, detect_ns=intent.detect_ns,
        risk_day="2026-01-01",
    )  # fmt: skip
    fields: dict[str, Any] = {"trade": trade, "seq": 1, "epoch": 1, "qty": 1, "state": "done"}
    dex = Attempt.objects.create(
        id=uuid7(), leg="dex", venue="solana", side="buy", sent_ns=NOW_NS,
        filled_base=int(lands), **fields,
    )  # fmt: skip
    LedgerEntry.objects.create(
        trade=trade, venue="solana", venue_asset="SOL", asset="SOL", delta=D("-0.000005"),
        kind="fee", reference=f"signature {number}", at_ns=NOW_NS,
    )  # fmt: skip
    if lands:
        cex = Attempt.objects.create(
            id=uuid7(), leg="cex", venue="kraken", side="sell", sent_ns=NOW_NS, filled_base=1,
            **fields,
        )  # fmt: skip
        for attempt, base, quote, asset, fee, fee_asset in (
            (dex, 1, D(-150), "USDC", D("0.000005"), "SOL"),
            (cex, -1, D(152) - D(slip), "USD", D("0.152"), "USD"),
        ):
            Fill.objects.create(
                id=uuid7(),
                attempt=attempt, venue=attempt.venue, venue_fill_id=f"{attempt.leg} {number}",
                status="booked", base_delta=base, quote_delta=quote, quote_asset=asset, fee=fee,
                fee_asset=fee_asset, at_ns=NOW_NS,
            )  # fmt: skip
    return trade


@pytest.fixture
def desk(db: None) -> None:
    open_desk("SOL")
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())


def test_causes_of_booked_trades_sum_to_their_errors(desk: None) -> None:
    booked(1, slip="0.25")
    booked(2, lands=False)
    everything, sol = prediction.pictures()
    assert (everything.asset, sol.asset) == ("*", "SOL")
    assert everything.figures.n == sol.figures.n == 2
    sums = sol.causes
    parts = (
        sums.cex_slip_usd, sums.dex_slip_usd, sums.fees_usd, sums.landing_usd, sums.residual_usd,
    )  # fmt: skip
    assert D(sums.cex_slip_usd) == D("-0.25")
    assert D(sums.dex_slip_usd) == D(sums.residual_usd) == 0
    assert sum(map(D, parts)) == pytest.approx(D(sums.error_usd), abs=D("3e-6"))
    total = sum(t.realised_pnl_usd - t.expected_pnl_usd for t in Trade.objects.all())
    assert D(sums.error_usd) == pytest.approx(total, abs=D("1e-6"))
    assert sol.proposed_haircut_bps is None


def test_a_trade_that_was_never_sent_predicted_nothing(desk: None) -> None:
    trade = booked(1, lands=False)
    trade.attempts.update(sent_ns=None, state="stale")
    (everything,) = prediction.pictures()
    assert everything.figures.n == 0
    assert everything.figures.bias is None


def test_a_haircut_is_proposed_from_the_errors_and_waits_for_approval(desk: None) -> None:
    signed_in("admin")
    user = User.objects.get()
    with pytest.raises(DomainError, match="too few trades"):
        prediction.propose_haircut("SOL", user=user)
    for number in range(60):
        booked(number, slip="0.06")
    row = prediction.propose_haircut("SOL", user=user)
    # 0.06 of a notional of 150 is 4 bps: tighter than what is in force, yet it waits.
    assert row.haircut_bps == 4
    assert row.status == "proposed"
    assert AssetConfig.objects.get(status="in_force").haircut_bps == 1
    with pytest.raises(DomainError, match="not traded"):
        prediction.propose_haircut("XYZ", user=user)


def test_the_errors_are_read_by_day_and_the_proposal_waits(desk: None) -> None:
    for number in range(60):
        booked(number, slip="0.06")
    client = signed_in("admin")
    page = client.get("/v1/prediction").json()
    assert [row["asset"] for row in page["rows"]] == ["*", "SOL"]
    assert page["rows"][1]["figures"]["n"] == 60
    assert page["rows"][1]["proposed_haircut_bps"] == "4.0"
    day = at_from_ns(NOW_NS).date()
    assert client.get(f"/v1/prediction?day={day}").json()["rows"][0]["figures"]["n"] == 60
    assert client.get("/v1/prediction?day=2020-01-01").json()["rows"][0]["figures"]["n"] == 0
    for bad in ("day=2020-13-01", "day=0001-01-01", "day=9999-12-31", "days=1"):
        assert client.get(f"/v1/prediction?{bad}").status_code == 400, bad
    answer = client.post("/v1/prediction/SOL/propose")
    assert answer.status_code == 202
    (proposal,) = answer.json()["proposals"]
    assert proposal["changes"] == [
        {"field": "haircut_bps", "before": "1", "after": "4", "is_looser": False}
    ]
    assert client.post("/v1/prediction/XYZ/propose").status_code == 404


def test_one_trade_says_where_its_prediction_went_wrong(desk: None) -> None:
    trade = booked(1, slip="0.25")
    client = signed_in("viewer")
    shown = client.get(f"/v1/trades/{trade.id}/prediction").json()
    assert D(shown["causes"]["cex_slip_usd"]) == D("-0.25")
    assert D(shown["realised_usd"]) - D(shown["expected_usd"]) == pytest.approx(
        D(shown["causes"]["error_usd"]), abs=D("1e-6")
    )
    Trade.objects.update(state="open", realised_pnl_usd=None)
    shown = client.get(f"/v1/trades/{trade.id}/prediction").json()
    assert (shown["realised_usd"], shown["causes"]) == (None, None)
    assert client.get(f"/v1/trades/{uuid7()}/prediction").status_code == 404


def test_the_promises_are_served_with_what_was_seen(desk: None) -> None:
    booked(1)
    rows = {
        row["name"]: row for row in signed_in("viewer").get("/v1/service-levels").json()["rows"]
    }
    assert rows["verified"]["n"] == 1
    assert rows["verified"]["verdict"] == "no data"
    assert rows["prediction error, WAPE"]["target"] == "≤ 35%"
