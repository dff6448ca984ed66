"""The engine's state as the console shows it: spread rows, stop reasons, venue ages.

Read-only and pure; the host calls these through the engine's views at its own pace.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from arbsite.events import Mode, SpreadRow, SpreadState, StopReason
from arbsite.units import text_from_int
from feeds.market.events import VenueName
from feeds.market.spec import MarketSpec
from risk.gates import Refused, check
from trading.engine.anchor import PROBE
from trading.engine.asset_state import AssetState
from trading.engine.controls import GLOBAL
from trading.engine.engine_state import EngineState
from trading.engine.gate_view import gate_state_of
from trading.engine.looks import Look
from trading.engine.staleness import RULES, VENUES

_MS: Final = 1_000_000
_STATE_OF_MODE: Final[dict[Mode, SpreadState]] = {
    "paper": "paper",
    "observe": "observe",
    "hedge_only": "auto_paused",
    "stop_new": "paused",
    "halt": "paused",
}
_SIGNIFICANT_DIGITS: Final = 8


class VenueAges(msgspec.Struct, frozen=True):
    """Ages of one venue in ms, None = never heard; slots only on the chain."""

    proof_age_ms: float | None
    data_age_ms: float | None
    status: str | None
    rtt_ms: float | None
    slot: int | None
    slot_lag: int | None


def spread_row(state: EngineState, asset: AssetState, now_ns: int) -> SpreadRow:
    """The better direction of an asset: the one with the larger gross gap, sign and all."""
    spec, feeds = asset.spec, state.feeds
    shown = max(asset.looks, key=lambda one: one.gross_bps, default=None)
    row_state, reason = _state_of(state, asset, now_ns)
    book, curve = feeds.books.get(spec.cex_symbol), feeds.curves.get(spec.pool)
    sized = asset.sized
    if shown is None or sized is None or sized.direction != shown.direction:
        sized = None
    net_bps = sized.net_bps if sized is not None else (shown.net_bps if shown else None)
    return SpreadRow(
        asset=spec.asset,
        direction=shown.direction if shown else "buy_dex_sell_cex",
        cex_symbol=spec.cex_symbol,
        cex_price=text_from_int(shown.cex_ticks, spec.price_precision) if shown else None,
        dex_price=_pool_price(spec, curve.price) if shown and curve else None,
        gross_bps=shown.gross_bps if shown else None,
        cost_bps=_cost_bps(shown, net_bps),
        net_bps=net_bps,
        size_usd=f"{sized.notional_usd:.2f}" if sized else None,
        size_base=text_from_int(sized.quotes.lots, spec.qty_precision) if sized else None,
        limited_by=sized.limited_by if sized else "",
        state=row_state,
        reason=reason,
        book_age_ms=_age_ms(now_ns, book.recv_ns if book else None),
        proof_age_ms=_age_ms(now_ns, feeds.proof_ns("kraken", spec.cex_symbol)),
        pool_age_ms=_age_ms(now_ns, curve.updated.recv_ns if curve else None),
        slot_lag=feeds.slot.lag_slots if feeds.slot is not None else None,
        at_ns=now_ns,
    )


def stop_reasons(state: EngineState, now_ns: int) -> tuple[StopReason, ...]:
    """Every scope that is not LIVE and why: controls first, then the assets' own settings."""
    found: list[StopReason] = []
    if not state.controls.is_known:
        found.append(
            StopReason(GLOBAL, "stop_new", "starting", "Control not read yet", "", "", now_ns)
        )
    for row in state.controls.rows:
        if row.mode != "live":
            value, limit = _measured(state, row.scope, row.rule, now_ns)
            found.append(
                StopReason(row.scope, row.mode, row.rule, row.text, value, limit, row.at_ns)
            )
    for name, asset in state.assets.items():
        settings = asset.settings
        if settings is None:
            text = "No configuration in force"
            found.append(StopReason(name, "stop_new", "settings", text, "", "", now_ns))
        elif settings.mode != "live" or not settings.enabled:
            mode: Mode = settings.mode if settings.enabled else "stop_new"
            text = f"Configuration version {settings.version}"
            found.append(StopReason(name, mode, "settings", text, "", "", now_ns))
    return tuple(found)


def venue_ages(state: EngineState, venue: VenueName, now_ns: int) -> VenueAges:
    """How fresh one venue is: any proof of life, and the youngest market fact."""
    feeds = state.feeds
    if venue == "kraken":
        stamps = [book.recv_ns for book in feeds.books.values()]
    else:
        stamps = [curve.updated.recv_ns for curve in feeds.curves.values()]
    status = feeds.venues.get(venue)
    slot = feeds.slot if venue == "solana" else None
    return VenueAges(
        proof_age_ms=_age_ms(now_ns, feeds.last_proof_ns(venue)),
        data_age_ms=_age_ms(now_ns, max(stamps, default=None)),
        status=status.status if status is not None else None,
        rtt_ms=status.rtt_ms if status is not None else None,
        slot=slot.slot if slot is not None else None,
        slot_lag=slot.lag_slots if slot is not None else None,
    )


def _state_of(state: EngineState, asset: AssetState, now_ns: int) -> tuple[SpreadState, str]:
    """A stop first, then what blocks the asset, then whether there is an edge."""
    mode = state.mode_of(asset.spec.asset)
    word = _STATE_OF_MODE.get(mode)
    if word in ("paused", "auto_paused"):
        return word, _why(state, asset)
    if asset.fault:
        return "blocked", asset.fault
    verdict = check(PROBE, gate_state_of(state, asset, now_ns), state.limits_of(asset))
    if isinstance(verdict, Refused):
        return "blocked", f"{verdict.gate}: {verdict.value} (limit {verdict.limit})"
    if word is not None:
        return word, ""
    if asset.sized is None:
        return "below_cost", asset.quote_refusal
    if asset.refusal is not None:
        gate, value, limit = asset.refusal
        return "below_cost", f"{gate}: {value} (limit {limit})"
    return "armed", ""


def _why(state: EngineState, asset: AssetState) -> str:
    """The text of the strictest thing in force on an asset."""
    mode = state.mode_of(asset.spec.asset)
    for scope in (asset.spec.asset, GLOBAL):
        row = state.controls.row(scope)
        if row is not None and row.mode == mode:
            return row.text
    if not state.controls.is_known:
        return "control not read yet"
    return "configuration" if asset.settings is not None else "no configuration in force"


def _measured(state: EngineState, scope: str, rule: str, now_ns: int) -> tuple[str, str]:
    """Value and limit of a staleness stop as they are now; nothing for other rules."""
    asset = state.assets.get(scope)
    for venue in VENUES:
        if asset is not None and rule == RULES[venue]:
            symbol = asset.spec.cex_symbol if venue == "kraken" else asset.spec.pool
            age = _age_ms(now_ns, state.feeds.proof_ns(venue, symbol))
            value = "never" if age is None else f"{age / 1000:.1f} s"
            return value, f"{state.stale_pause_ns / 1e9:g} s"
    return "", ""


def _cost_bps(shown: Look | None, net_bps: float | None) -> float | None:
    return None if shown is None or net_bps is None else shown.gross_bps - net_bps


def _pool_price(spec: MarketSpec, price: float) -> str:
    """The pool's marginal price in whole units, as plain text for people."""
    whole = Decimal(price * 10.0 ** (spec.base_decimals - spec.quote_decimals))
    places = max(0, _SIGNIFICANT_DIGITS - 1 - whole.adjusted())
    return f"{whole:.{places}f}"


def _age_ms(now_ns: int, at_ns: int | None) -> float | None:
    return None if at_ns is None else max(0, now_ns - at_ns) / _MS
