"""The gates a candidate passes before anything is sent, in one fixed order.

Pure: `check` sees a candidate, the state of the world and the limits in force, and says
`Approved` or names the FIRST gate that refused, with the value and the limit it compared.
Unknown is refused, never assumed. Called by the engine, by previews and by the back-test.
Not here: caps under concurrency (the store checks those again under its row locks), and
stopping (a refusal refuses one candidate; a stop is the control service's).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from risk.candidate import Candidate, DeskRoom, GateLimits, GateState

__all__ = [
    "APPROVED",
    "GATES",
    "INELIGIBLE_GATES",
    "Approved",
    "Candidate",
    "DeskRoom",
    "GateLimits",
    "GateState",
    "Refused",
    "Verdict",
    "check",
]
# Modes in which a decision may go on: sent, booked on paper, or stored.
DECIDING_MODES: Final = frozenset({"live", "paper", "observe"})


class Approved(msgspec.Struct, frozen=True):
    """Every gate passed."""


class Refused(msgspec.Struct, frozen=True):
    """The first gate that said no, with what it compared (texts for people)."""

    gate: str
    value: str
    limit: str


APPROVED: Final = Approved()
Verdict = Approved | Refused
# (value, limit) when a gate refuses, None when it passes.
_Answer = tuple[str, str] | None
_Gate = Callable[[Candidate, GateState, GateLimits], _Answer]


def check(candidate: Candidate, state: GateState, limits: GateLimits) -> Verdict:
    """Ask every gate in order; the first refusal is the verdict."""
    for name, gate in GATES:
        answer = gate(candidate, state, limits)
        if answer is not None:
            return Refused(name, answer[0], answer[1])
    return APPROVED


def _mode(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    if not state.is_known_mode:
        return "unknown", "control read"
    return None if state.mode in DECIDING_MODES else (state.mode, "live, paper or observe")


def _enabled(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    return None if state.is_enabled else ("disabled", "enabled")


def _venue_ready(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    # Only a live decision is sent; paper and observe need no trading client.
    if state.mode != "live":
        return None
    if not state.is_kraken_ready:
        return "kraken not ready", "ready"
    return None if state.is_solana_ready else ("solana not ready", "ready")


def _venue_status(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    for venue, status in (
        ("kraken", state.kraken_status),
        ("solana", state.solana_status),
        ("pair", state.pair_status),
    ):
        if status != "online":
            return f"{venue} {status or 'unknown'}", "online"
    return None


def _clock(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    # The order's deadline is an absolute time by OUR clock, read by the venue's.
    skew_ms, limit_ms = state.kraken_skew_ms, limits.max_kraken_skew_ms
    if skew_ms is None:
        return "kraken never compared", f"{limit_ms:g} ms"
    if abs(skew_ms) > limit_ms:
        return f"kraken {skew_ms:+.0f} ms", f"{limit_ms:g} ms"
    # No deadline hangs on the chain's clock, and nodes need not tell it: unknown may pass.
    skew_ms, limit_ms = state.solana_skew_ms, limits.max_solana_skew_ms
    if skew_ms is None or abs(skew_ms) <= limit_ms:
        return None
    return f"solana {skew_ms:+.0f} ms", f"{limit_ms:g} ms"


def _at_most(value: float | None, limit: float, unit: str) -> _Answer:
    if value is None:
        return "never", f"{limit:g} {unit}"
    return None if value <= limit else (f"{value:.0f} {unit}", f"{limit:g} {unit}")


def _frame_age(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    return _at_most(state.frame_age_ms, limits.max_frame_age_ms, "ms")


def _chain_age(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    return _at_most(state.chain_age_ms, limits.max_frame_age_ms, "ms")


def _book(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    return (state.book_fault, "valid") if state.book_fault else None


def _ticker(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    # A lost update shows only in the NEXT checksum; the ticker tells of a lost top at once.
    return (state.ticker_fault, "as the book") if state.ticker_fault else None


def _pool(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    return (state.pool_fault, "valid") if state.pool_fault else None


def _route(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    # An aggregator's answer is older than any state of our own feed when it arrives.
    if state.route_age_ms is None:
        return None
    return _at_most(state.route_age_ms, limits.max_route_age_ms, "ms")


def _slot_lag(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    return _at_most(state.slot_lag, limits.max_slot_lag, "slots")


def _marks(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    if state.mark_fault:
        return state.mark_fault, "valid"
    return _at_most(state.mark_age_ms, limits.max_frame_age_ms, "ms")


def _depeg(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    # A dollar that is none any more moves while we hold it: its mark is no price to trade at.
    for asset, bps in state.depegs:
        limit = limits.max_depeg_bps.get(asset)
        if limit is None:
            return f"{asset} has no limit", "a limit"
        if abs(bps) > limit:
            return f"{asset} {bps:+.0f} bps", f"{limit:g} bps"
    return None


def _fees(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    # The tier falls when volume leaves the 30 days: an old fee may be too low.
    return _at_most(state.fees_age_ms, limits.max_fees_age_ms, "ms")


def _balances(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    return _at_most(state.balances_age_ms, limits.max_balances_age_ms, "ms")


def _anomaly(candidate: Candidate, _: GateState, limits: GateLimits) -> _Answer:
    # A gap this wide is a wrong market, a halted token or a broken feed, never an edge.
    if abs(candidate.gross_bps) <= limits.max_gap_bps:
        return None
    return f"{candidate.gross_bps:.0f} bps", f"{limits.max_gap_bps:g} bps"


def _standing_basis(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    return (state.standing_basis, "none") if state.standing_basis else None


def _cooldown(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    left = state.cooldown_left_ms
    return (f"{left:.0f} ms left", "0 ms left") if left > 0 else None


def _busy(_: Candidate, state: GateState, __: GateLimits) -> _Answer:
    return (state.busy_reason, "idle") if state.busy_reason else None


def _window_intents(candidate: Candidate, _: GateState, limits: GateLimits) -> _Answer:
    if candidate.window_intents < limits.intents_per_window:
        return None
    return str(candidate.window_intents), str(limits.intents_per_window)


def _edge_budget(candidate: Candidate, _: GateState, __: GateLimits) -> _Answer:
    return (candidate.budget_refusal, "paid for by the edge") if candidate.budget_refusal else None


def _min_size(candidate: Candidate, _: GateState, __: GateLimits) -> _Answer:
    why = f" ({candidate.limited_by})"
    if candidate.size_lots < candidate.min_lots:
        return f"{candidate.size_lots} lots{why}", f"{candidate.min_lots} lots"
    if candidate.size_cost < candidate.min_cost:
        return f"{candidate.size_cost:.4f}{why}", f"{candidate.min_cost}"
    return None


def _max_notional(candidate: Candidate, _: GateState, limits: GateLimits) -> _Answer:
    if candidate.notional_usd <= limits.max_notional_usd:
        return None
    return f"{candidate.notional_usd:.2f} USD", f"{limits.max_notional_usd} USD"


def _daily_loss(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    if state.used_loss_usd < limits.daily_loss_cap_usd:
        return None
    return f"{state.used_loss_usd:.2f} USD", f"{limits.daily_loss_cap_usd} USD"


def _daily_notional(candidate: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    after = state.used_notional_usd + candidate.notional_usd
    if after <= limits.daily_notional_cap_usd:
        return None
    return f"{after:.2f} USD", f"{limits.daily_notional_cap_usd} USD"


def _daily_trades(_: Candidate, state: GateState, limits: GateLimits) -> _Answer:
    if state.used_trades < limits.daily_trades_cap:
        return None
    return str(state.used_trades), str(limits.daily_trades_cap)


def _desk_open(candidate: Candidate, state: GateState, _: GateLimits) -> _Answer:
    if state.desk is None:
        return None
    after, limit = state.desk.open_usd + candidate.notional_usd, state.desk.max_open_usd
    return None if after <= limit else (f"{after:.2f} USD", f"{limit} USD")


def _desk_daily(candidate: Candidate, state: GateState, _: GateLimits) -> _Answer:
    if state.desk is None:
        return None
    after, limit = state.desk.day_usd + candidate.notional_usd, state.desk.daily_cap_usd
    return None if after <= limit else (f"{after:.2f} USD", f"{limit} USD")


def _fee_sol(candidate: Candidate, state: GateState, _: GateLimits) -> _Answer:
    # A swap that cannot pay its fee never lands, and its other leg would be naked.
    free = state.fee_lamports_free
    if free is None or candidate.fee_lamports <= free:
        return None
    return f"{_sol(candidate.fee_lamports)} SOL needed", f"{_sol(free)} SOL above the floor"


def _sol(lamports: int) -> str:
    return f"{lamports / 1e9:.9f}"


def _landing(candidate: Candidate, _: GateState, limits: GateLimits) -> _Answer:
    # Worth taking for whoever lands, not at our odds and fees: hopeless, not unprofitable.
    least = limits.min_profit_usd
    if candidate.landed_value_usd < least or candidate.decision_value_usd >= least:
        return None
    value = f"{candidate.decision_value_usd:.4f} USD at a chance of {candidate.p_land:.2f}"
    return value, f"{least} USD"


def _min_profit(candidate: Candidate, _: GateState, limits: GateLimits) -> _Answer:
    if candidate.decision_value_usd >= limits.min_profit_usd:
        return None
    return f"{candidate.decision_value_usd:.4f} USD", f"{limits.min_profit_usd} USD"


# The order is part of the product: the first refusal is what a window is blocked by.
GATES: Final[tuple[tuple[str, _Gate], ...]] = (
    ("mode", _mode),
    ("enabled", _enabled),
    ("venue_ready", _venue_ready),
    ("venue_status", _venue_status),
    ("clock", _clock),
    ("frame_age", _frame_age),
    ("chain_age", _chain_age),
    ("book", _book),
    ("ticker", _ticker),
    ("pool", _pool),
    ("route", _route),
    ("slot_lag", _slot_lag),
    ("marks", _marks),
    ("depeg", _depeg),
    ("fees", _fees),
    ("balances", _balances),
    ("anomaly", _anomaly),
    ("standing_basis", _standing_basis),
    ("cooldown", _cooldown),
    ("busy", _busy),
    ("window_intents", _window_intents),
    ("edge_budget", _edge_budget),
    ("min_size", _min_size),
    ("max_notional", _max_notional),
    ("daily_loss", _daily_loss),
    ("daily_notional", _daily_notional),
    ("daily_trades", _daily_trades),
    ("desk_open", _desk_open),
    ("desk_daily", _desk_daily),
    ("fee_sol", _fee_sol),
    ("landing", _landing),
    ("min_profit", _min_profit),
)

# A window refused by one of these was not ours to take: it does not count as eligible.
# Being busy, a cap or our own limit of intents is our choice, and such a window counts.
INELIGIBLE_GATES: Final = frozenset(
    {
        "mode",
        "enabled",
        "venue_ready",
        "venue_status",
        "clock",
        "frame_age",
        "chain_age",
        "book",
        "ticker",
        "pool",
        "route",
        "slot_lag",
        "marks",
        "depeg",
        "fees",
        "balances",
        "anomaly",
        "standing_basis",
        "cooldown",
        "min_size",
    }
)
