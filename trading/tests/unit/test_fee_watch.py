"""A fee that is not the one the decision was priced at becomes an incident, once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from arbsite.clock import SystemClock
from risk.models import Control, Incident
from trading.process.desk_link import DeskLink
from trading.process.fee_watch import RULE, fee_surprise
from trading.records import FillRecord, TradeRecord
from trading.tests.intents import make_intent, open_desk, planned

D = Decimal


def booked(fee: str, **changes: Any) -> TradeRecord:
    """Sold 1 SOL for 152 USD; the decision priced a fee of 0.152 USD, 10 bps."""
    intent = make_intent()
    attempts = planned(intent)
    fields: dict[str, Any] = {
        "venue": "kraken",
        "venue_fill_id": "T1",
        "status": "booked",
        "base_delta": D(-1),
        "quote_delta": D(152),
        "quote_asset": "USD",
        "fee": D(fee),
        "fee_asset": "USD",
        "at_ns": intent.decided_ns,
    }
    attempts[0].fills["T1"] = FillRecord(**fields | changes)
    return TradeRecord(intent.intent_key, intent, "open", 1, "2026-01-01", attempts)


@pytest.mark.parametrize("fee", ["0.152", "0.1526", "0.1514"])
def test_a_fee_as_predicted_is_no_news(fee: str) -> None:
    assert fee_surprise(booked(fee)) is None


@pytest.mark.parametrize(
    ("fee", "value", "word"),
    [("0.608", "40.00 bps, predicted 10.00 bps", "more"), ("0", "0.00 bps, pred", "less")],
)
def test_another_tier_is_named_with_both_fees(fee: str, value: str, word: str) -> None:
    found = fee_surprise(booked(fee))
    assert found is not None
    assert found.value.startswith(value)
    assert word in found.text


def test_a_fee_taken_in_another_asset_counts_at_its_mark() -> None:
    assert fee_surprise(booked("0.00101333", fee_asset="SOL")) is None
    assert fee_surprise(booked("0.00405333", fee_asset="SOL")) is not None


def test_without_a_kraken_fill_there_is_nothing_to_compare() -> None:
    trade = booked("0.608")
    trade.attempts[0].fills.clear()
    assert fee_surprise(trade) is None


@pytest.mark.django_db(transaction=True)
def test_the_incident_is_opened_once_and_stops_nothing() -> None:
    open_desk("SOL")
    link = DeskLink("", None, SystemClock(), apply=_nothing, show_status=_nothing)  # type: ignore[arg-type]
    found = fee_surprise(booked("0.608"))
    assert found is not None
    for _ in range(2):
        async_to_sync(link.raise_alarm)(found.asset, RULE, found.text, found.value, "0.50 bps off")
    incident = Incident.objects.get()
    assert (incident.asset, incident.rule, incident.priority) == ("SOL", "taker_fee", "warning")
    assert incident.value == "40.00 bps, predicted 10.00 bps"
    assert Control.objects.get(scope="SOL").effective_mode == "live"


def _nothing(*_: Any) -> Any:
    return None
