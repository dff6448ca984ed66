"""The paper desk over HTTP: its trades only by name, its gap beside live, its command."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from rest_framework.test import APIClient

from arbsite.clock import SystemClock, uuid7
from arbsite.tests.auth.people import signed_in
from risk import services
from risk.models import Control
from trading.models import Opportunity, PaperEntry, PaperTrade, Trade, Window
from trading.paper.trade import PaperFill
from trading.storage import rows
from trading.tests.intents import NOW_NS, make_intent, make_window

pytestmark = pytest.mark.django_db


def add(model: type[Trade] | type[PaperTrade], pnl: str, both_ms: int, **more: Any) -> Any:
    """A closed trade of one book, detected a minute ago, with its window and decision."""
    is_paper = model is PaperTrade
    detect_ns = SystemClock().now_ns() - 60_000_000_000
    window = make_window(uuid7(), opened_at_ns=detect_ns, closed_at_ns=detect_ns + 10**9)
    row = {name: getattr(window, name) for name in window.__struct_fields__}
    Window.objects.create(**row, decision="stored" if is_paper else "taken")
    key = uuid7()
    shared = {
        "intent_key": key, "window_id": window.window_id, "asset": "SOL",
        "direction": "buy_dex_sell_cex", "size_base": Decimal(1), "notional_usd": Decimal(150),
        "expected_pnl_usd": Decimal(1), "config_version": 1,
    }  # fmt: skip
    mode = "paper" if is_paper else "live"
    Opportunity.objects.create(**shared, mode=mode, decided_ns=detect_ns, intent={})
    return model.objects.create(
        **shared, id=uuid7(), leg_order="concurrent", state="closed", outcome="both",
        realised_pnl_usd=Decimal(pnl), detect_ns=detect_ns, closed_ns=detect_ns + 10**9,
        both_filled_ns=detect_ns + both_ms * 10**6, risk_day="2026-01-01", **more,
    )  # fmt: skip


def test_paper_trades_are_listed_by_name_only() -> None:
    viewer = signed_in("viewer")
    modelled = add(PaperTrade, "0.5", 300)
    assert viewer.get("/v1/trades").json()["rows"] == []
    (row,) = viewer.get("/v1/trades?book=paper").json()["rows"]
    assert (row["id"], row["book"]) == (str(modelled.id), "paper")
    assert viewer.get("/v1/trades?book=both").status_code == 400


def test_paper_trades_come_in_pages() -> None:
    viewer = signed_in("viewer")
    ids = [str(add(PaperTrade, "0.5", 300).id) for _ in range(3)]
    first = viewer.get("/v1/trades?book=paper&limit=2").json()
    rest = viewer.get(f"/v1/trades?book=paper&limit=2&cursor={first['next']}").json()
    assert [row["id"] for row in [*first["rows"], *rest["rows"]]] == ids[::-1]
    assert rest["next"] is None


def test_a_paper_trade_is_told_whole() -> None:
    """By its id as a live one is, with the model's fills and the paper ledger's entries."""
    intent = make_intent(7)
    columns = rows.opportunity_json(intent)
    columns["intent"] = msgspec.json.decode(msgspec.json.encode(columns["intent"]))
    Opportunity.objects.create(**columns)
    fill = PaperFill(
        "cex", "kraken", Decimal(1), Decimal("-150.25"), "USD", Decimal("0.39"), "USD", NOW_NS
    )
    trade = PaperTrade.objects.create(
        id=uuid7(), intent_key=intent.intent_key, window_id=intent.window_id, asset=intent.asset,
        direction=intent.direction, leg_order="concurrent", state="closed", outcome="partial",
        config_version=1, size_base=Decimal(1), notional_usd=Decimal(150),
        expected_pnl_usd=Decimal(1), detect_ns=NOW_NS, risk_day="2026-01-01",
        fills=msgspec.to_builtins([fill]),
    )  # fmt: skip
    PaperEntry.objects.create(
        trade=trade, venue="kraken", asset="USD", delta=Decimal("-150.25"), kind="trade",
        at_ns=NOW_NS,
    )  # fmt: skip
    told = signed_in("viewer").get(f"/v1/trades/{trade.id}").json()
    assert (told["trade"]["book"], told["trade"]["id"]) == ("paper", str(trade.id))
    assert told["intent"]["intent_key"] == str(intent.intent_key)
    (modelled,) = told["fills"]
    assert (modelled["quote_delta"], modelled["status"]) == ("-150.25", "model")
    assert [entry["delta"] for entry in told["ledger"]] == ["-150.25"]
    assert (told["attempts"], told["verdicts"]) == ([], [])


def test_the_gap_stands_paper_beside_live_and_adds_nothing_up() -> None:
    viewer = signed_in("viewer")
    for pnl, ms in (("1.0", 400), ("0.6", 600)):
        add(PaperTrade, pnl, ms)
    add(Trade, "0.5", 700, is_settled=True)
    (gap,) = viewer.get("/v1/paper?days=1").json()["assets"]
    assert (gap["paper"]["trades"], gap["live"]["trades"]) == (2, 1)
    assert (gap["paper"]["realised_usd"], gap["live"]["realised_usd"]) == ("1.6", "0.5")
    assert Decimal(gap["pnl_per_trade_gap_usd"]) == Decimal("0.3")
    assert gap["fills_p50_gap_ms"] == pytest.approx(-200)
    # Each book's windows are its own.
    assert gap["paper"]["eligible_windows"] == gap["paper"]["captured_windows"] == 2
    assert gap["live"]["eligible_windows"] == gap["live"]["captured_windows"] == 1


def test_a_period_with_one_book_has_no_gap() -> None:
    add(PaperTrade, "1.0", 400)
    (gap,) = signed_in("viewer").get("/v1/paper").json()["assets"]
    assert gap["pnl_per_trade_gap_usd"] is None
    assert gap["live"]["pnl_per_trade_usd"] is None


def send(client: APIClient, action: str, **body: Any) -> Any:
    headers = {"Idempotency-Key": str(uuid7())}
    return client.post(f"/v1/controls/{action}", body, format="json", headers=headers)


def test_an_operator_enters_paper_and_leaves_it_through_observe() -> None:
    services.set_first_mode("*", "live", actor="test", reason="test")
    services.set_first_mode("SOL", "live", actor="test", reason="test")
    operator = signed_in("operator")
    assert send(signed_in("viewer"), "paper", scope="SOL").status_code == 403
    assert send(operator, "paper", scope="SOL").status_code == 202
    assert Control.objects.get(scope="SOL").effective_mode == "paper"
    straight = send(operator, "live", scope="SOL", reason="x", confirm="GO LIVE")
    assert (straight.status_code, straight.json()["code"]) == (409, "not_observing")
    assert send(operator, "observe", scope="SOL").status_code == 202
    assert send(operator, "pause", scope="SOL").status_code == 202
    assert send(operator, "paper", scope="SOL").json()["code"] == "not_running"
