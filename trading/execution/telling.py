"""Tells the engine how its trades go: progress as it happens, the end once.

The engine keeps the asset blocked, learns from both legs and counts the day by these
events. Not here: the console's pictures (outbox). Caller: the runner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from trading.execution import booking
from trading.inputs import EngineInput, TradeClosed, TradeProgressed
from trading.records import AttemptRecord, TradeRecord

ToldOutcome = Literal["both", "partial", "missed", "hedged", "operator", "stale"]


class Telling:
    """What the engine was told of one trade."""

    def __init__(self, trade: TradeRecord, emit: Callable[[EngineInput], None]) -> None:
        self._trade = trade
        self._emit = emit
        # The predecessor told of what it had settled; this engine starts with it free.
        self._has_told_end = trade.is_settled
        self._told: tuple[str, str, int | None] = ("", "", None)

    def was_told(self) -> None:
        """Say nothing of the end again: the trade was parked by this very engine."""
        self._has_told_end = True

    def tell(self, *, landed_slot: int | None, now_ns: int) -> None:
        """Emit what is new since the last call."""
        trade = self._trade
        if not trade.is_settled and trade.state != "operator":
            self._tell_progress(landed_slot, now_ns)
        elif not self._has_told_end:
            self._has_told_end = True
            self._tell_end(landed_slot, now_ns)

    def _tell_progress(self, landed_slot: int | None, now_ns: int) -> None:
        intent = self._trade.intent
        cex, dex = self._trade.latest("cex"), self._trade.latest("dex")
        told = (cex.state if cex else "", dex.state if dex else "", landed_slot)
        if told == self._told:
            return
        self._told = told
        self._emit(
            TradeProgressed(
                intent_key=intent.intent_key,
                asset=intent.asset,
                cex_state=told[0],
                dex_state=told[1],
                cex_fill_ns=cex.filled_ns if cex else None,
                landed_slot=landed_slot,
                at_ns=now_ns,
            )
        )

    def _tell_end(self, landed_slot: int | None, now_ns: int) -> None:
        trade = self._trade
        cex = trade.latest("cex")
        self._emit(
            TradeClosed(
                intent_key=trade.intent.intent_key,
                asset=trade.intent.asset,
                outcome=self._outcome(),
                realised_usd=booking.observed_usd(trade),
                dex_landed=_has_landed(trade.latest("dex")),
                cex_filled_ratio=_filled_ratio(cex),
                cex_fill_ns=cex.filled_ns if cex else None,
                landed_slot=landed_slot,
                at_ns=now_ns,
                tip_lamports=trade.intent.tip_lamports,
                congestion=trade.intent.verdict.congestion,
                opening=trade.intent.verdict.opening,
            )
        )

    def _outcome(self) -> ToldOutcome:
        if self._trade.state == "operator":
            return "operator"
        if all(attempt.state == "stale" for attempt in self._trade.attempts):
            return "stale"
        return self._trade.outcome  # type: ignore[return-value]


def _has_landed(dex: AttemptRecord | None) -> bool | None:
    """Whether a sent swap succeeded; None when it was never sent."""
    if dex is None or dex.sent_ns is None:
        return None
    return bool(dex.filled_base)


def _filled_ratio(cex: AttemptRecord | None) -> float | None:
    """How much of a sent order filled; None when it was never sent."""
    if cex is None or cex.sent_ns is None or not cex.qty:
        return None
    return float(cex.filled_base / cex.qty)
