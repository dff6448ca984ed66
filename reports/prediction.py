"""The prediction-error loop over booked trades: figures per asset, and a proposed haircut.

Reads closed trades of our own tables and hands them to the pure parts: causes
(`trading.prediction`), bias, WAPE, median, calibration and coverage
(`trading.backtest.errors`). `propose_haircut` writes a configuration version that waits for
an administrator. Callers: the API, `service_levels`, the day report. Not here: capture.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

import msgspec
from django.db.models import QuerySet, Sum

from arbsite.errors import DomainError
from arbsite.models import User
from reports import markouts
from reports.markouts import MarkoutFigure
from trading import services
from trading.backtest.errors import ErrorFigures, Prediction, error_figures
from trading.intent import Intent
from trading.models import AssetConfig, Fill, LedgerEntry, Opportunity, Trade
from trading.prediction import Causes, Finished, Flow, decompose, haircut_bps

_ZERO = Decimal(0)
# A smaller change than this is noise, not news.
LEAST_CHANGE_BPS = Decimal("0.2")


class CauseSums(msgspec.Struct, frozen=True):
    """Sums of the causes over trades, USD as text; they add up to `error_usd`."""

    cex_slip_usd: str
    dex_slip_usd: str
    fees_usd: str
    landing_usd: str
    residual_usd: str
    error_usd: str


class PredictionPicture(msgspec.Struct, frozen=True):
    """How right the predictions of one asset (or of all, `*`) were.

    `haircut_bps` is in force, `proposed_haircut_bps` what the errors ask for (None: too few
    trades, or all assets together).
    """

    asset: str
    figures: ErrorFigures
    causes: CauseSums
    haircut_bps: str | None
    proposed_haircut_bps: str | None
    markouts: list[MarkoutFigure]


def closed_trades(*, since_ns: int = 0, until_ns: int | None = None) -> QuerySet[Trade]:
    """Trades booked from the venues' records, in the order they were detected."""
    found = Trade.objects.filter(state="closed", realised_pnl_usd__isnull=False)
    found = found.filter(detect_ns__gte=since_ns)
    if until_ns is not None:
        found = found.filter(detect_ns__lt=until_ns)
    return found.exclude(outcome="pending").order_by("detect_ns")


def finished(trades: Iterable[Trade]) -> list[Finished]:
    """Trades with their predicted terms and what each leg moved; four queries in all.

    A trade of which nothing was ever sent is left out: nothing was predicted of it.
    """
    listed = list(trades)
    keys = [trade.intent_key for trade in listed]
    rows = Opportunity.objects.filter(intent_key__in=keys).values_list("intent_key", "intent")
    intents = {key: msgspec.convert(row, Intent) for key, row in rows}
    sent = set(
        Trade.objects.filter(
            id__in=[trade.id for trade in listed], attempts__sent_ns__isnull=False
        ).values_list("id", flat=True)
    )
    flows = _flows(listed, intents)
    chain = _chain_costs(listed)
    return [
        _finished(trade, intents[trade.intent_key], flows, chain.get(trade.id, _ZERO))
        for trade in listed
        if trade.id in sent
    ]


def _flows(trades: list[Trade], intents: dict[UUID, Intent]) -> dict[tuple[UUID, str], Flow]:
    """Base, quote and fee by trade and leg, valued at the marks of its decision."""
    key_of = {trade.id: trade.intent_key for trade in trades}
    found: dict[tuple[UUID, str], Flow] = {}
    rows = Fill.objects.filter(attempt__trade__in=trades).values_list(
        "attempt__trade_id", "attempt__leg", "base_delta", "quote_delta", "quote_asset",
        "fee", "fee_asset",
    )  # fmt: skip
    for trade_id, leg, base, quote, quote_asset, fee, fee_asset in rows:
        marks = intents[key_of[trade_id]].marks_usd
        # The swap's fee is the whole transaction's and stands in the ledger.
        fee_usd = _ZERO if leg == "dex" or not fee else fee * marks[fee_asset]
        before = found.get((trade_id, leg), Flow())
        found[trade_id, leg] = Flow(
            before.base + base,
            before.quote_usd + quote * marks[quote_asset],
            before.fee_usd + fee_usd,
        )
    return found


def _chain_costs(trades: list[Trade]) -> dict[UUID, Decimal]:
    """SOL that each trade's transactions cost, fees and tips, failed ones included."""
    rows = (
        LedgerEntry.objects.filter(trade__in=trades, venue="solana", kind__in=["fee", "tip"])
        .values_list("trade_id")
        .annotate(Sum("delta"))
    )
    return {trade_id: -total for trade_id, total in rows if trade_id is not None}


def _finished(
    trade: Trade, intent: Intent, flows: dict[tuple[UUID, str], Flow], chain_sol: Decimal
) -> Finished:
    realised = trade.realised_pnl_usd
    assert realised is not None
    return Finished(
        asset=trade.asset,
        terms=intent.pnl,
        notional_usd=intent.notional_usd,
        buys_on_cex=intent.cex_side == "buy",
        qty=Decimal(intent.qty_lots).scaleb(-intent.spec.qty_precision),
        base_usd=intent.marks_usd[intent.asset],
        cex=flows.get((trade.id, "cex"), Flow()),
        dex=flows.get((trade.id, "dex"), Flow()),
        hedge=flows.get((trade.id, "hedge"), Flow()),
        chain_usd=chain_sol * intent.marks_usd["SOL"],
        realised_usd=realised,
    )


# ---- figures ------------------------------------------------------------------------


def predictions_of(trades: Iterable[Finished]) -> list[Prediction]:
    """What was expected of each trade and what it made, in their order."""
    return [
        Prediction(
            expected=float(one.terms.expected),
            realised=float(one.realised_usd),
            notional=float(one.notional_usd),
        )
        for one in trades
    ]


def figures_of(trades: Iterable[Finished]) -> ErrorFigures:
    """Bias, WAPE, median, bps, calibration and coverage of the trades, failed ones included."""
    return error_figures(predictions_of(trades))


def cause_sums(trades: Iterable[Finished]) -> CauseSums:
    """Each cause summed over the trades."""
    split = [decompose(one) for one in trades]

    def total(name: str) -> str:
        return f"{sum((getattr(each, name) for each in split), _ZERO):.6f}"

    names = (name for name in Causes.__struct_fields__)
    return CauseSums(**{f"{name}_usd": total(name) for name in names})


def pictures(*, since_ns: int = 0, until_ns: int | None = None) -> list[PredictionPicture]:
    """All assets together, then each; without trades only the first."""
    rows = list(closed_trades(since_ns=since_ns, until_ns=until_ns))
    trades = finished(rows)
    in_force = dict(
        AssetConfig.objects.filter(status="in_force").values_list("asset", "haircut_bps")
    )
    everything = figures_of(trades), cause_sums(trades)
    found = [PredictionPicture("*", *everything, None, None, markouts.figures(rows))]
    for asset in sorted({one.asset for one in trades}):
        own = [one for one in trades if one.asset == asset]
        proposed = haircut_bps(own)
        haircut = in_force.get(asset)
        found.append(
            PredictionPicture(
                asset=asset,
                figures=figures_of(own),
                causes=cause_sums(own),
                haircut_bps=None if haircut is None else f"{haircut.normalize():f}",
                proposed_haircut_bps=None if proposed is None else f"{proposed:f}",
                markouts=markouts.figures(row for row in rows if row.asset == asset),
            )
        )
    return found


# ---- the proposal -------------------------------------------------------------------


def propose_haircut(asset: str, *, user: User, since_ns: int = 0) -> AssetConfig:
    """Propose the haircut that the asset's errors ask for; an administrator approves it.

    Raises DomainError: 404 unknown asset, 409 with too few trades or too small a change.
    """
    current = AssetConfig.objects.filter(asset=asset, status="in_force").first()
    if current is None:
        raise DomainError(f"{asset} is not traded here.", code="unknown_asset", status=404)
    trades = finished(closed_trades(since_ns=since_ns).filter(asset=asset))
    proposed = haircut_bps(trades)
    if proposed is None:
        raise DomainError(
            f"{asset} has too few trades that came off to say: fewer than 50.",
            code="too_few_trades",
            status=409,
        )
    if abs(proposed - current.haircut_bps) < LEAST_CHANGE_BPS:
        raise DomainError(
            f"The errors ask for {proposed} bps, {current.haircut_bps:f} bps is in force.",
            code="unchanged",
            status=409,
        )
    return services.change_config(
        asset,
        {"haircut_bps": proposed},
        version=current.version,
        user=user,
        reason=f"Four of five of the last {len(trades)} trades stay above {proposed} bps.",
        must_wait=True,
    )
