"""Reads of windows, trades and configurations, in the form the bus and the API carry.

A page costs the same few queries however many rows it has. Trades are rebuilt into the
engine's own records, so that a row read here is the row the engine published. Callers:
`trading.api`, the admin pages, the console socket's snapshots.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from django.db.models import Q, QuerySet

from arbsite import events
from arbsite.streams import Picture, encoded, rows_data
from feeds.market.spec import Direction
from trading.bound_quote import bound_quote
from trading.intent import Intent
from trading.models import Attempt, Fill, LedgerEntry, Opportunity, Trade, Window
from trading.storage import rows

SNAPSHOT_WINDOWS = 50
SNAPSHOT_TRADES = 20
Place = tuple[int, UUID]
Struct = TypeVar("Struct", bound=msgspec.Struct)


class WindowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which windows; None does not restrict. Times are of opening, ns since 1970 UTC."""

    asset: str | None = None
    direction: Direction | None = None
    decision: Literal["taken", "stored", "refused", "watched"] | None = None
    gate: str | None = None
    min_edge_bps: float | None = None
    since_ns: int | None = None
    until_ns: int | None = None


class WindowPicture(msgspec.Struct, frozen=True):
    """A whole window as stored."""

    window_id: str
    version: int
    asset: str
    direction: Direction
    opened_at_ns: int
    closed_at_ns: int | None
    close_cause: str
    first_slot: int
    last_slot: int
    peak_value_usd: str
    value_seconds_usd: str
    best_pnl_usd: str
    best_size_usd: str
    gross_bps: float
    net_bps: float
    limited_by: str
    intents: int
    is_eligible: bool
    blocked_by: str
    decision: str
    gate: str
    gate_value: str
    gate_limit: str


class FillPicture(msgspec.Struct, frozen=True):
    """One execution; deltas are ours, signed, in whole units."""

    venue: str
    venue_fill_id: str
    status: str
    base_delta: str
    quote_delta: str
    quote_asset: str
    fee: str
    fee_asset: str
    at_ns: int


class LedgerPicture(msgspec.Struct, frozen=True):
    """One booked balance change, signed, in whole units."""

    venue: str
    venue_asset: str
    asset: str
    delta: str
    kind: str
    reference: str
    at_ns: int


class AttemptPicture(msgspec.Struct, frozen=True):
    """What is proven about one attempt; its amounts and times are in the trade's legs.

    `evidence` are the entries of its life: an event or a question, when, and the answer.
    """

    id: str
    leg: str
    seq: int
    state: str
    cl_ord_id: str | None
    order_id: str
    signature: str | None
    deadline_ns: int | None
    last_valid_height: int | None
    is_booked: bool
    evidence: list[dict[str, Any]]


class TradePicture(msgspec.Struct, frozen=True):
    """A trade with the decision behind it, its executions and what was booked.

    `quote` is what the pool leg was promised, `intent` the decision with the units its swap
    may use and how its limits shared the slack. `verdicts` are the decisions about its
    residual, each with the cost of every way out.
    """

    trade: events.TradeRow
    intent: Intent
    quote: events.BoundQuote
    attempts: list[AttemptPicture]
    fills: list[FillPicture]
    ledger: list[LedgerPicture]
    verdicts: list[dict[str, Any]]


def plain(value: Decimal) -> str:
    """Decimal text without exponent and without the column's trailing zeros."""
    return format(value.normalize() if value else Decimal(0), "f")


# ---- windows ------------------------------------------------------------------------


def windows(wanted: WindowFilter, after: Place | None = None) -> QuerySet[Window]:
    """Windows, newest opening first, those after `after` (the last row of a page)."""
    found = Window.objects.order_by("-opened_at_ns", "-window_id")
    conditions: dict[str, Any] = {
        "asset": wanted.asset,
        "direction": wanted.direction,
        "decision": wanted.decision,
        "gate": wanted.gate,
        "net_bps__gte": wanted.min_edge_bps,
        "opened_at_ns__gte": wanted.since_ns,
        "opened_at_ns__lt": wanted.until_ns,
    }
    found = found.filter(**{name: v for name, v in conditions.items() if v is not None})
    if after is not None:
        at_ns, window_id = after
        found = found.filter(
            Q(opened_at_ns__lt=at_ns) | Q(opened_at_ns=at_ns, window_id__lt=window_id)
        )
    return found


def opportunity_rows(found: Iterable[Window]) -> list[events.OpportunityRow]:
    """Windows as the console lists them, each with its first intent's key."""
    listed = list(found)
    decided = Opportunity.objects.filter(window_id__in=[window.window_id for window in listed])
    # Newest first, so that the first intent of a window is the one that stays.
    keys = dict(decided.order_by("-decided_ns").values_list("window_id", "intent_key"))
    return [_opportunity_row(window, keys.get(window.window_id)) for window in listed]


def _opportunity_row(window: Window, intent_key: UUID | None) -> events.OpportunityRow:
    return events.OpportunityRow(
        window_id=str(window.window_id),
        version=window.version,
        asset=window.asset,
        direction=window.direction,
        state="open" if window.closed_at_ns is None else "closed",
        # A window the engine has not decided on yet is only watched.
        decision=window.decision or "watched",  # type: ignore[arg-type]
        gate=window.gate,
        gate_value=window.gate_value,
        gate_limit=window.gate_limit,
        gross_bps=window.gross_bps,
        net_bps=window.net_bps,
        size_usd=plain(window.best_size_usd),
        limited_by=window.limited_by,
        expected_pnl_usd=plain(window.best_pnl_usd),
        opened_at_ns=window.opened_at_ns,
        closed_at_ns=window.closed_at_ns,
        close_cause=window.close_cause,
        intent_key=None if intent_key is None else str(intent_key),
    )


def window_picture(window: Window) -> WindowPicture:
    """Every column of a window."""
    return _picture(window, WindowPicture)


def opportunities_picture() -> Picture:
    """The last windows, for a console that has just connected."""
    found = opportunity_rows(windows(WindowFilter())[:SNAPSHOT_WINDOWS])
    at_ns = max((row.closed_at_ns or row.opened_at_ns for row in found), default=0)
    return Picture(at_ns, rows_data("opportunities", map(encoded, found), at_ns))


# ---- trades -------------------------------------------------------------------------


def trades(
    *,
    asset: str | None = None,
    state: str | None = None,
    outcome: str | None = None,
    after: Place | None = None,
) -> QuerySet[Trade]:
    """Trades, newest detection first, those after `after` (the last row of a page)."""
    found = Trade.objects.order_by("-detect_ns", "-id")
    conditions = {"asset": asset, "state": state, "outcome": outcome}
    found = found.filter(**{name: v for name, v in conditions.items() if v is not None})
    if after is not None:
        at_ns, trade_id = after
        found = found.filter(Q(detect_ns__lt=at_ns) | Q(detect_ns=at_ns, id__lt=trade_id))
    return found


def trade_rows(found: Iterable[Trade]) -> list[events.TradeRow]:
    """Whole rows with their legs; four queries for any number of trades."""
    listed = list(found)
    intents = dict(
        Opportunity.objects.filter(
            intent_key__in=[trade.intent_key for trade in listed]
        ).values_list("intent_key", "intent")
    )
    attempts: dict[UUID, list[dict[str, Any]]] = {}
    for attempt in Attempt.objects.filter(trade__in=listed).order_by("trade", "leg", "seq"):
        attempts.setdefault(attempt.trade_id, []).append(_columns(attempt))
    fills: dict[UUID, list[dict[str, Any]]] = {}
    for fill in Fill.objects.filter(attempt__trade__in=listed).select_related("attempt"):
        columns = {**_columns(fill), "attempt_id": fill.attempt_id}
        fills.setdefault(fill.attempt.trade_id, []).append(columns)
    return [
        rows.trade_record(
            {**_columns(trade), "intent": intents[trade.intent_key]},
            attempts.get(trade.id, []),
            fills.get(trade.id, []),
        ).row()
        for trade in listed
    ]


def trade_picture(trade_id: UUID) -> TradePicture | None:
    """One trade with everything about it; None for an unknown id."""
    trade = Trade.objects.filter(id=trade_id).first()
    if trade is None:
        return None
    (row,) = trade_rows([trade])
    decision = Opportunity.objects.get(intent_key=trade.intent_key)
    fills = Fill.objects.filter(attempt__trade=trade).order_by("at_ns", "venue_fill_id")
    intent = intent_shown(decision)
    return TradePicture(
        trade=row,
        intent=intent,
        quote=bound_quote(intent),
        attempts=[
            _picture(attempt, AttemptPicture)
            for attempt in Attempt.objects.filter(trade=trade).order_by("leg", "seq")
        ],
        fills=[_picture(fill, FillPicture) for fill in fills],
        ledger=[
            _picture(entry, LedgerPicture)
            for entry in LedgerEntry.objects.filter(trade=trade).order_by("id")
        ],
        verdicts=trade.verdicts,
    )


def intent_shown(decision: Opportunity) -> Intent:
    """The decision as people see it: what was not measured then shows the prior in its place."""
    intent = msgspec.convert(decision.intent, Intent)
    if isinstance(intent.route, msgspec.UnsetType):
        intent = msgspec.structs.replace(intent, slack=intent.slack_split)
    return msgspec.structs.replace(intent, compute=intent.compute_limit)


def trades_picture() -> Picture:
    """The last trades and all that wait for a person, for a console just connected."""
    latest: list[Trade] = list(trades()[:SNAPSHOT_TRADES])
    held = {trade.id for trade in latest}
    # However old: the banner that calls for a person stands on this row.
    latest += [trade for trade in trades(state=Trade.State.OPERATOR) if trade.id not in held]
    at_ns = max((trade.closed_ns or trade.detect_ns for trade in latest), default=0)
    return Picture(at_ns, rows_data("trades", map(encoded, trade_rows(latest)), at_ns))


def _columns(row: Trade | Attempt | Fill) -> dict[str, Any]:
    """Every column by its name in the database."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _picture(row: Window | Attempt | Fill | LedgerEntry, kind: type[Struct]) -> Struct:
    """`kind` filled from the columns of the same names; decimals as text, ids as text."""
    values: dict[str, Any] = {}
    for name in kind.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, Decimal):
            value = plain(value)
        values[name] = str(value) if isinstance(value, UUID) else value
    return kind(**values)
