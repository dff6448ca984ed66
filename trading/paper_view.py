"""A paper trade as the bus and the API carry it: the live trade's row, marked `paper`.

Pure mapping of columns; callers are `trading.storage.paper_store` and `trading.paper_selectors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from arbsite.events import LegRow, TradeRow
from trading.intent import Intent
from trading.paper.trade import PaperFill
from trading.records import size_base

_OUTCOMES = frozenset({"both", "partial", "missed", "hedged", "pending"})


def open_row(intent: Intent, trade_id: UUID) -> TradeRow:
    """The row of a decision that the model has just begun to trade."""
    return row_of(
        {
            "id": trade_id,
            "version": 1,
            "intent_key": intent.intent_key,
            "asset": intent.asset,
            "direction": intent.direction,
            "leg_order": intent.verdict.order,
            "state": "open",
            "outcome": "pending",
            "size_base": size_base(intent),
            "notional_usd": intent.notional_usd,
            "expected_pnl_usd": intent.pnl.expected,
            "realised_pnl_usd": None,
            "detect_ns": intent.detect_ns,
            "wired_ns": None,
            "both_filled_ns": None,
            "residual_base": Decimal(0),
            "closed_ns": None,
            "reason": "",
            "fills": [],
        }
    )


def row_of(columns: Mapping[str, Any]) -> TradeRow:
    """A stored paper trade; a model verifies nothing, and what it gave up is "missed"."""
    both_ns, outcome = columns["both_filled_ns"], columns["outcome"]
    realised = columns["realised_pnl_usd"]
    return TradeRow(
        id=str(columns["id"]),
        version=columns["version"],
        intent_key=str(columns["intent_key"]),
        asset=columns["asset"],
        direction=columns["direction"],
        policy=columns["leg_order"],
        state=columns["state"],
        outcome=outcome if outcome in _OUTCOMES else _closest(outcome),
        verified=False,
        size_base=_text(columns["size_base"]),
        notional_usd=_text(columns["notional_usd"]),
        expected_pnl_usd=_text(columns["expected_pnl_usd"]),
        realised_pnl_usd=None if realised is None else _text(realised),
        detect_at_ns=columns["detect_ns"],
        both_filled_ms=(both_ns - columns["detect_ns"]) / 1e6 if both_ns else None,
        residual_base=_text(columns["residual_base"]),
        legs=_legs(columns),
        closed_at_ns=columns["closed_ns"],
        reason=columns["reason"],
        book="paper",
    )


def _closest(outcome: str) -> Any:
    """A model has no operator to ask: what it could not hedge is a partial."""
    return "partial" if outcome == "operator" else "missed"


def _legs(columns: Mapping[str, Any]) -> tuple[LegRow, ...]:
    fills = msgspec.convert(columns["fills"], list[PaperFill])
    found = []
    for leg in ("cex", "dex", "hedge"):
        mine = [fill for fill in fills if fill.leg == leg]
        if mine:
            found.append(_leg(mine, columns["size_base"]))
    return tuple(found)


def _leg(fills: list[PaperFill], size: Decimal) -> LegRow:
    base = sum((fill.base_delta for fill in fills), Decimal(0))
    quote = sum((fill.quote_delta for fill in fills), Decimal(0))
    return LegRow(
        leg=fills[0].leg,
        seq=1,
        venue=fills[0].venue,
        side="buy" if base > 0 else "sell",
        state="done" if base else "dead",
        qty=_text(abs(base) if fills[0].leg == "hedge" else size),
        filled=_text(abs(base)),
        price=_text(abs(quote / base)) if base else None,
        fee_usd=_text(sum((fill.fee_usd or Decimal(0) for fill in fills), Decimal(0))),
        reference="model",
        sent_at_ns=None,
        acked_at_ns=None,
        filled_at_ns=max(fill.at_ns for fill in fills),
    )


def _text(value: Decimal) -> str:
    return format(value.normalize(), "f") if value else "0"
