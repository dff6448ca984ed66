"""Lists and details of windows and trades: shapes, filters, pages, and a constant cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from arbsite import events
from arbsite.clock import at_from_ns, utc_now, uuid7
from arbsite.tests.auth.people import signed_in
from inventory.models import BalanceSnapshot
from trading import selectors
from trading.bound_quote import bound_quote
from trading.compute_units import PRIOR_LIMIT, ComputeLimit
from trading.intent import EVEN_SPLIT, Intent, SlackSplit
from trading.models import (
    Attempt,
    EngineLease,
    Fill,
    LedgerEntry,
    Opportunity,
    Trade,
    Window,
)
from trading.storage import rows
from trading.tests.intents import NOW_NS, make_intent, make_window

SECOND = 1_000_000_000


@pytest.fixture
def viewer(db: None) -> APIClient:
    cache.clear()
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())
    return signed_in("viewer")


def add_window(number: int, **changes: Any) -> Window:
    row = make_window(UUID(int=number), opened_at_ns=NOW_NS + number * SECOND)
    verdict = {"decision": "refused", "gate": "min_edge", "gate_value": "1", "gate_limit": "2"}
    return Window.objects.create(**{**msgspec.structs.asdict(row), **verdict, **changes})


def add_decision(intent: Intent) -> None:
    columns = rows.opportunity_json(intent)
    columns["intent"] = msgspec.json.decode(msgspec.json.encode(columns["intent"]))
    Opportunity.objects.create(**columns)


def add_trade(number: int, intent: Intent | None = None, **changes: Any) -> Trade:
    """A trade with two filled legs and its ledger."""
    intent = intent or make_intent(number, detect_ns=NOW_NS + number * SECOND)
    add_decision(intent)
    columns = rows.trade_json(intent, UUID(int=number)) | {
        "intent_key": intent.intent_key,
        "window_id": intent.window_id,
        "asset": "SOL",
        "direction": intent.direction,
        "state": "closed",
        "is_settled": True,
        "outcome": "both",
        "config_version": 1,
        "size_base": Decimal(1),
        "notional_usd": intent.notional_usd,
        "expected_pnl_usd": intent.pnl.expected,
        "realised_pnl_usd": Decimal("1.25"),
        "both_filled_ns": intent.detect_ns + 400_000_000,
    }
    trade = Trade.objects.create(**columns | changes)
    for leg, venue, sign in (("cex", "kraken", -1), ("dex", "solana", 1)):
        attempt = Attempt.objects.create(
            id=uuid7(),
            trade=trade,
            leg=leg,
            seq=1,
            venue=venue,
            side="sell" if sign < 0 else "buy",
            qty=1,
            state="done",
            epoch=1,
            order_id=f"{leg}-{number}",
            filled_base=1,
        )
        fill = {"base_delta": sign, "quote_delta": -sign * 151, "quote_asset": "USD", "fee": "0.1"}
        for part in (1, 2):
            Fill.objects.create(
                id=uuid7(),
                attempt=attempt,
                venue=venue,
                venue_fill_id=f"{leg}-{number}-{part}",
                status="booked",
                fee_asset="USD",
                at_ns=intent.detect_ns + part,
                **fill,
            )
    LedgerEntry.objects.create(
        trade=trade,
        venue="kraken",
        venue_asset="ZUSD",
        asset="USD",
        delta=Decimal("150.9"),
        kind="trade",
        reference=f"T{number}",
        at_ns=intent.detect_ns,
    )
    return trade


def walk(client: APIClient, address: str, limit: int = 2) -> list[dict[str, Any]]:
    """Every row of a list, page by page."""
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.get(f"{address}{'&' if '?' in address else '?'}limit={limit}{cursor}").json()
        seen += page["rows"]
        if page["next"] is None:
            return seen
        assert len(page["rows"]) == limit
        cursor = f"&cursor={page['next']}"


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as caught:
        act()
    return len(caught)


def test_opportunities_are_the_rows_of_the_stream(viewer: APIClient) -> None:
    window = add_window(1)
    intent = make_intent(1, window_id=window.window_id)
    add_decision(intent)
    (row,) = viewer.get("/v1/opportunities").json()["rows"]
    shown = msgspec.convert(row, events.OpportunityRow)
    assert shown.window_id == str(window.window_id)
    assert (shown.state, shown.decision, shown.gate) == ("open", "refused", "min_edge")
    assert (shown.size_usd, shown.expected_pnl_usd) == ("150", "1.5")
    assert shown.intent_key == str(intent.intent_key)


def test_windows_show_every_column(viewer: APIClient) -> None:
    add_window(1)
    (row,) = viewer.get("/v1/windows").json()["rows"]
    assert set(row) == {field.name for field in Window._meta.concrete_fields}
    assert row["peak_value_usd"] == "1.25"


@pytest.mark.parametrize("address", ["/v1/opportunities", "/v1/windows"])
def test_filters_restrict_and_pages_cover_everything_once(viewer: APIClient, address: str) -> None:
    for number in range(1, 8):
        add_window(number, asset="SOL" if number % 2 else "JUP", net_bps=float(number))
    # Two windows of one instant: the cursor must tell them apart.
    add_window(8, opened_at_ns=NOW_NS + 7 * SECOND, decision="taken", gate="")
    ids = [row["window_id"] for row in walk(viewer, address)]
    assert [UUID(text).int for text in ids] == [8, 7, 6, 5, 4, 3, 2, 1]

    def numbers(query: str) -> list[int]:
        return [UUID(row["window_id"]).int for row in walk(viewer, f"{address}?{query}")]

    assert numbers("asset=JUP") == [6, 4, 2]
    assert numbers("decision=taken") == [8]
    assert numbers("gate=min_edge&min_edge=6") == [7, 6]
    assert numbers("direction=buy_cex_sell_dex") == []
    # NOW_NS is 2023-11-14T22:13:20Z.
    assert numbers("since=2023-11-14T22:13:25Z&until=2023-11-14T22:13:27Z") == [6, 5]


def test_a_list_that_grows_at_its_head_repeats_nothing(viewer: APIClient) -> None:
    for number in range(1, 5):
        add_window(number)
    first = viewer.get("/v1/windows?limit=2").json()
    add_window(9)
    second = viewer.get(f"/v1/windows?limit=2&cursor={first['next']}").json()
    ids = [UUID(row["window_id"]).int for row in first["rows"] + second["rows"]]
    assert ids == [4, 3, 2, 1]


def test_trades_are_the_rows_the_engine_publishes(viewer: APIClient) -> None:
    add_trade(1)
    (row,) = viewer.get("/v1/trades").json()["rows"]
    shown = msgspec.convert(row, events.TradeRow)
    assert (shown.state, shown.outcome, shown.policy) == ("closed", "both", "concurrent")
    assert (shown.both_filled_ms, shown.realised_pnl_usd) == (400.0, "1.25")
    assert [(leg.leg, leg.reference, leg.price) for leg in shown.legs] == [
        ("cex", "cex-1", "151"),
        ("dex", "dex-1", "151"),
    ]


def test_a_trade_in_detail(viewer: APIClient) -> None:
    trade = add_trade(1)
    body = viewer.get(f"/v1/trades/{trade.id}").json()
    shown = msgspec.convert(body, selectors.TradePicture)
    decided = make_intent(1, detect_ns=NOW_NS + SECOND)
    assert shown.intent == msgspec.structs.replace(decided, compute=PRIOR_LIMIT, slack=EVEN_SPLIT)
    assert [fill.venue_fill_id for fill in shown.fills] == [
        "cex-1-1",
        "dex-1-1",
        "cex-1-2",
        "dex-1-2",
    ]
    assert shown.ledger[0].delta == "150.9"
    assert shown.quote == bound_quote(shown.intent)
    assert [(each.leg, each.evidence) for each in shown.attempts] == [("cex", []), ("dex", [])]
    missing = viewer.get(f"/v1/trades/{UUID(int=99)}")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_trade")


def test_a_trade_shows_what_its_limits_were_measured_from(viewer: APIClient) -> None:
    measured = make_intent(
        2,
        compute=ComputeLimit(74_350, "simulation", 20, 49_000, NOW_NS),
        slack=SlackSplit(Decimal("0.37"), 31, 1.2, 2.05, NOW_NS),
    )
    body = viewer.get(f"/v1/trades/{add_trade(2, measured).id}").json()
    assert msgspec.convert(body, selectors.TradePicture).intent == measured
    assert body["intent"]["compute"]["source"] == "simulation"
    assert body["intent"]["slack"]["cex_share"] == "0.37"


def test_a_console_gets_every_trade_that_waits_for_a_person(viewer: APIClient) -> None:
    add_trade(1, state="operator")
    for number in range(2, selectors.SNAPSHOT_TRADES + 4):
        add_trade(number)
    sent = msgspec.json.decode(selectors.trades_picture().data)
    numbers = [UUID(row["id"]).int for row in sent["rows"]]
    assert numbers == [*range(selectors.SNAPSHOT_TRADES + 3, 3, -1), 1]


def test_trades_filter_and_page(viewer: APIClient) -> None:
    for number in range(1, 6):
        add_trade(number, state="closed" if number % 2 else "operator")
    assert [UUID(row["id"]).int for row in walk(viewer, "/v1/trades")] == [5, 4, 3, 2, 1]
    assert [UUID(row["id"]).int for row in walk(viewer, "/v1/trades?state=operator")] == [4, 2]
    assert walk(viewer, "/v1/trades?asset=JUP") == []
    assert walk(viewer, "/v1/trades?outcome=missed") == []


@pytest.mark.parametrize("address", ["/v1/opportunities", "/v1/windows", "/v1/trades"])
def test_a_page_costs_the_same_however_long_it_is(viewer: APIClient, address: str) -> None:
    add_window(1)
    add_trade(1)
    few = queries(lambda: viewer.get(address))
    for number in range(2, 12):
        add_window(number)
        add_trade(number)
    assert queries(lambda: viewer.get(address)) == few


def test_a_new_console_starts_with_the_last_rows(viewer: APIClient) -> None:
    for number in range(1, 60):
        add_window(number)
    for number in range(1, 23):
        add_trade(number)
    windows = msgspec.json.decode(selectors.opportunities_picture().data)
    assert len(windows["rows"]) == selectors.SNAPSHOT_WINDOWS
    trades = msgspec.json.decode(selectors.trades_picture().data)
    assert [UUID(row["id"]).int for row in trades["rows"]] == list(range(22, 2, -1))


def test_inventory_shows_the_newest_sample_of_each_balance(viewer: APIClient) -> None:
    for number in (1, 2, 3):
        for venue, name in (("kraken", "SOL"), ("solana", "SOL"), ("solana", "USDC")):
            BalanceSnapshot.objects.create(
                at=at_from_ns(NOW_NS + number * SECOND),
                venue=venue,
                venue_asset=name,
                asset=name,
                balance=number,
            )
    shown = viewer.get("/v1/inventory").json()
    assert shown["frame"] is None
    assert [(b["venue"], b["asset"], Decimal(b["balance"])) for b in shown["balances"]] == [
        ("kraken", "SOL", 3),
        ("solana", "SOL", 3),
        ("solana", "USDC", 3),
    ]
