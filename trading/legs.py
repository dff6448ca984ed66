"""The two legs of a trade: which goes first, and what state each is in.

Two pure parts: the order policy (expected value of each order, domain "order of the
legs"), and the attempt and trade state machines as one table each. The engine asks for the
order, the executor owns the states. Not here: what a residual needs (`residual`), sending,
booking, clocks, the database.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import msgspec

from arbsite.errors import IllegalTransition
from trading.bidding import Congestion
from trading.intent import LegOrder, OrderVerdict
from trading.landing import Posterior
from trading.openings import Opening

# ---- order policy -------------------------------------------------------------------


class OrderModel(msgspec.Struct, frozen=True):
    """What the policy assumes where nothing is measured yet, in bps of notional.

    `drift_bps` is the adverse move of the book while a swap lands (about two slots of
    0.9 bps at 80 % a year), `pool_drift_bps` that of the pool while an IOC is answered,
    `spread_impact_bps` the part of an unwind that is not the two taker fees.
    `lower_level` is the quantile of the posterior that stands for "p".
    """

    drift_bps: float = 1.5
    pool_drift_bps: float = 0.2
    spread_impact_bps: float = 1.0
    lower_level: float = 0.1
    memory: float = 200.0


def choose_order(
    *,
    edge_bps: float,
    taker: float,
    fail_fee_bps: float,
    landing: Posterior,
    filling: Posterior,
    model: OrderModel,
    configured: Literal["auto", "concurrent", "dex_first", "cex_first"],
    congestion: Congestion = "usual",
    opening: Opening = "slow",
    expected_p: float | None = None,
) -> OrderVerdict:
    """Choose the order of highest expected value; a configured order is obeyed, and said.

    p is the lower bound of landing, q the mean of the book filling, C the unwind cost, D
    the drift while waiting, f the failed-transaction fee, all in bps of notional:

    - concurrent: p·q·e - (p(1-q) + q(1-p))·C (either leg alone is unwound)
    - DEX first:  p·(q(e-D) - (1-q)C) - (1-p)·f (nothing lands: only the fee is lost)
    - CEX first:  q·(p(e-D') - (1-p)C) (no fill: nothing is lost)

    With q = 1 concurrent beats DEX first iff p > (C-f)/(C-f+D). `expected_p` is what to
    expect of landing where more is known than `landing` counts (how the gap came); it never
    raises the bound, only lowers it where it lies below.
    """
    mean = landing.mean if expected_p is None else expected_p
    p = min(landing.lower(model.lower_level), mean)
    q = filling.mean
    unwind = 2 * taker * 1e4 + model.spread_impact_bps
    ev: dict[LegOrder, float] = {
        "concurrent": p * q * edge_bps - (p * (1 - q) + q * (1 - p)) * unwind,
        "dex_first": p * (q * (edge_bps - model.drift_bps) - (1 - q) * unwind)
        - (1 - p) * fail_fee_bps,
        "cex_first": q * (p * (edge_bps - model.pool_drift_bps) - (1 - p) * unwind),
    }
    # On a tie the safer order wins: nothing is naked while the swap may still fail.
    ranking: tuple[LegOrder, ...] = ("dex_first", "concurrent", "cex_first")
    order = max(ranking, key=ev.__getitem__) if configured == "auto" else configured
    return OrderVerdict(
        order=order,
        p_land=mean,
        p_land_lower=p,
        q_fill=q,
        unwind_bps=unwind,
        drift_bps=model.drift_bps,
        fail_fee_bps=fail_fee_bps,
        ev_concurrent_bps=ev["concurrent"],
        ev_dex_first_bps=ev["dex_first"],
        ev_cex_first_bps=ev["cex_first"],
        forced_by_config=configured != "auto",
        congestion=congestion,
        opening=opening,
    )


def drift_risk_bps(verdict: OrderVerdict, model: OrderModel, bound: float | None = None) -> float:
    """What the market may move against the second leg while it waits, in bps of notional.

    `bound` is the landing's own lower bound where the verdict's may lie below it: a swap that
    is expected to land less often does not risk less once it has landed.
    """
    p = verdict.p_land_lower if bound is None else bound
    if verdict.order == "concurrent":
        return 0.0
    if verdict.order == "dex_first":
        return p * verdict.drift_bps
    return verdict.q_fill * p * model.pool_drift_bps


def unwind_if_failed_bps(verdict: OrderVerdict) -> float:
    """What a swap that fails leaves to be unwound on the book, in bps of notional.

    Nothing in DEX-first: the order was not sent then.
    """
    return 0.0 if verdict.order == "dex_first" else verdict.q_fill * verdict.unwind_bps


def leg_risk_bps(verdict: OrderVerdict, model: OrderModel) -> float:
    """What the chosen order risks in proportion to the size, for the size walk; never negative."""
    failed = (1 - verdict.p_land_lower) * unwind_if_failed_bps(verdict)
    return drift_risk_bps(verdict, model) + failed


# ---- states -------------------------------------------------------------------------

AttemptState = Literal["planned", "sending", "unknown", "acked", "done", "dead", "stale"]
AttemptEvent = Literal[
    "send_started",
    "send_failed_before_wire",
    "acked",
    "outcome_unknown",
    "found",
    "rejected",
    "filled_terminal",
    "proven_dead",
    "late_fill",
    "abandoned",
]
TradeState = Literal["open", "hedging", "closed", "operator"]
TradeEvent = Literal[
    "residual_found",
    "hedged",
    "closed_flat",
    "closed_as_inventory",
    "parked",
    "flatten_ordered",
    "resolved",
    "late_fill",
]

TERMINAL_ATTEMPT_STATES: frozenset[AttemptState] = frozenset({"done", "dead", "stale"})

ATTEMPT_TABLE: MappingProxyType[tuple[AttemptState, AttemptEvent], AttemptState] = MappingProxyType(
    {
        ("planned", "send_started"): "sending",
        # A restart, a stop or the fuse: an old signal is never sent.
        ("planned", "abandoned"): "stale",
        # The first leg failed without a trace, so the second is never started.
        ("planned", "send_failed_before_wire"): "stale",
        ("sending", "send_failed_before_wire"): "stale",
        ("sending", "acked"): "acked",
        ("sending", "outcome_unknown"): "unknown",
        ("sending", "rejected"): "dead",
        # The executions stream and the chain's own sightings overtake the reply.
        ("sending", "found"): "acked",
        ("sending", "filled_terminal"): "done",
        ("unknown", "found"): "acked",
        # The reply came after we had given up waiting for it.
        ("unknown", "acked"): "acked",
        ("unknown", "rejected"): "dead",
        ("unknown", "filled_terminal"): "done",
        ("unknown", "proven_dead"): "dead",
        # A query that failed, or a second time-out, is no evidence: still unknown.
        ("unknown", "outcome_unknown"): "unknown",
        # The reply after the stream, or a second endpoint that takes the same bytes.
        ("acked", "acked"): "acked",
        ("acked", "found"): "acked",
        # An endpoint lost the answer to a re-broadcast; the first one's word stands.
        ("acked", "outcome_unknown"): "acked",
        ("acked", "filled_terminal"): "done",
        # A node took the bytes, but they never landed before their last valid height.
        ("acked", "proven_dead"): "dead",
        # The venue reports an end twice: stream first, its trade record later.
        ("done", "filled_terminal"): "done",
        ("done", "late_fill"): "done",
        ("done", "acked"): "done",
        ("done", "found"): "done",
        ("dead", "proven_dead"): "dead",
        ("dead", "rejected"): "dead",
        # Visibility lagged behind our proof: the venue's own fill record wins, always.
        ("dead", "late_fill"): "done",
    }
)

TRADE_TABLE: MappingProxyType[tuple[TradeState, TradeEvent], TradeState] = MappingProxyType(
    {
        ("open", "residual_found"): "hedging",
        ("open", "closed_flat"): "closed",
        ("open", "closed_as_inventory"): "closed",
        ("open", "parked"): "operator",
        # A leg proven dead had filled after all, before the trade was closed.
        ("open", "late_fill"): "hedging",
        ("hedging", "residual_found"): "hedging",
        ("hedging", "late_fill"): "hedging",
        # The residual is gone, but a record is still to be booked before the trade closes.
        ("hedging", "hedged"): "open",
        ("hedging", "closed_flat"): "closed",
        ("hedging", "closed_as_inventory"): "closed",
        ("hedging", "parked"): "operator",
        # A closed trade is reopened by the venue's record only.
        ("closed", "late_fill"): "hedging",
        # By a record, a proof, or as inventory; it closes when everything is booked.
        ("operator", "resolved"): "open",
        ("operator", "flatten_ordered"): "hedging",
        # Nothing is automatic while a person decides; the fill is booked, the state stays.
        ("operator", "late_fill"): "operator",
        ("operator", "residual_found"): "operator",
    }
)


def next_attempt_state(state: AttemptState, event: AttemptEvent) -> AttemptState:
    """Look the pair up; IllegalTransition when the table does not list it."""
    try:
        return ATTEMPT_TABLE[state, event]
    except KeyError:
        raise IllegalTransition(f"attempt: {event} is not allowed in {state}") from None


def next_trade_state(state: TradeState, event: TradeEvent) -> TradeState:
    """Look the pair up; IllegalTransition when the table does not list it."""
    try:
        return TRADE_TABLE[state, event]
    except KeyError:
        raise IllegalTransition(f"trade: {event} is not allowed in {state}") from None
