"""Keeps how far both legs of the last verified trades moved, and tells the engine the split.

Called by the host: `restore` once at the start, beside everything else, `booked` with every
trade that was closed from the venues' records. Not here: what a slip is (`slippage`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from arbsite import metrics
from arbsite.clock import Clock
from arbsite.logs import event_logger
from trading.inputs import SlackKnown
from trading.intent import Intent
from trading.records import AttemptRecord, TradeRecord
from trading.slippage import TRADES_KEPT, LegResult, Slips, slips_of, split_of
from trading.storage.store import TradeStore

log = event_logger(__name__)


class SlipWatch:
    """The last verified trades of every asset of one engine process."""

    def __init__(self, store: TradeStore, clock: Clock, emit: Callable[[SlackKnown], None]) -> None:
        self._store = store
        self._clock = clock
        self._emit = emit
        self._kept: dict[str, dict[UUID, Slips]] = {}

    def booked(self, trade: TradeRecord) -> None:
        """Take a trade that was closed; one that a late fill reopened replaces what it said.

        Nothing is learnt from one that is not verified, or that went by a route.
        """
        if not trade.is_verified or not isinstance(trade.intent.route, msgspec.UnsetType):
            return
        legs = {name: [a for a in trade.attempts if a.leg == name] for name in ("cex", "dex")}
        self._keep(trade.intent, _result(legs["cex"]), _result(legs["dex"]))
        self._say(trade.intent.asset)

    async def restore(self) -> None:
        """Read the last trades of earlier processes; what was booked since stands."""
        try:
            async with self._store.connection() as conn:
                found = await (await conn.execute(_SQL, {"limit": TRADES_KEPT})).fetchall()
        except psycopg.OperationalError as error:
            log.warning("slippage.not_restored", error=str(error)[:200])
            return
        newer, self._kept = self._kept, {}
        for row in found:
            intent = msgspec.convert(row["intent"], Intent)
            cex, dex = (_result_of_row(row, leg) for leg in ("cex", "dex"))
            self._keep(intent, cex, dex)
        for asset, slips in newer.items():
            self._kept.setdefault(asset, {}).update(slips)
        for asset in self._kept:
            self._say(asset)

    def _keep(self, intent: Intent, cex: LegResult, dex: LegResult) -> None:
        kept = self._kept.setdefault(intent.asset, {})
        kept[intent.intent_key] = slips_of(intent, cex, dex)
        while len(kept) > TRADES_KEPT:
            del kept[next(iter(kept))]

    def _say(self, asset: str) -> None:
        now_ns = self._clock.now_ns()
        split = split_of(tuple(self._kept[asset].values()), now_ns)
        metrics.SLACK_SHARE.labels(asset).set(float(split.cex_share))
        self._emit(SlackKnown(asset=asset, split=split, at_ns=now_ns))


def _result(attempts: Iterable[AttemptRecord]) -> LegResult:
    """One leg over all its attempts: a first leg that filled in part may have shrunk the other."""
    base = quote = Decimal(0)
    has_broken = False
    for attempt in attempts:
        for fill in attempt.fills.values():
            base += abs(fill.base_delta)
            quote += abs(fill.quote_delta)
        has_broken |= _has_broken(
            attempt.venue, attempt.state, attempt.filled_base, attempt.qty, attempt.evidence
        )
    return LegResult(base, quote, has_broken)


def _result_of_row(row: Mapping[str, Any], leg: str) -> LegResult:
    attempts = [each for each in row["attempts"] if each["leg"] == leg]
    return LegResult(
        base=sum((Decimal(each["base"]) for each in attempts), Decimal(0)),
        quote=sum((Decimal(each["quote"]) for each in attempts), Decimal(0)),
        has_broken=any(
            _has_broken(
                each["venue"], each["state"],
                Decimal(each["filled"]), Decimal(each["qty"]), each["evidence"],
            )
            for each in attempts
        ),
    )  # fmt: skip


def _has_broken(
    venue: str, state: str, filled: Decimal, qty: Decimal, evidence: list[dict[str, Any]]
) -> bool:
    """Whether a terminal attempt filled less than asked because of its limit.

    An order that is done ended at its limit. A swap that is done without a fill landed and
    failed: mostly at its threshold, unless it is known to have run out of units.
    """
    if state != "done" or abs(filled) >= qty:
        return False
    return venue == "kraken" or not any(
        item.get("event") == "compute_exceeded" for item in evidence
    )


# Amounts as text: JSON numbers would lose digits.
_SQL = """
SELECT intent, attempts FROM (
    SELECT o.intent, t.closed_ns,
        row_number() OVER (PARTITION BY t.asset ORDER BY t.closed_ns DESC) AS age,
        (SELECT jsonb_agg(jsonb_build_object('leg', a.leg, 'venue', a.venue, 'state', a.state,
            'qty', a.qty::text, 'filled', a.filled_base::text, 'evidence', a.evidence,
            'base', coalesce(f.base, 0)::text, 'quote', coalesce(f.quote, 0)::text))
         FROM trading_attempt a LEFT JOIN LATERAL (
            SELECT sum(abs(base_delta)) AS base, sum(abs(quote_delta)) AS quote
            FROM trading_fill WHERE attempt_id = a.id) f ON true
         WHERE a.trade_id = t.id) AS attempts
    FROM trading_trade t JOIN trading_opportunity o USING (intent_key)
    WHERE t.state = 'closed' AND t.is_verified AND NOT o.intent ? 'route'
) latest WHERE age <= %(limit)s ORDER BY closed_ns
"""
