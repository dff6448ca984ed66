"""The numbers of the paper desk, each with its reason.

They repeat the simulator's (a test keeps them equal), because results on paper must mean
the same as results on the simulated venues. Models, not forecasts: every report says so.
"""

from __future__ import annotations

import msgspec


class WireModel(msgspec.Struct, frozen=True):
    """A request's round trip, ms: lognormal by two percentiles, mixed with rare stalls."""

    p50_ms: float
    p95_ms: float
    stall_p: float = 0.0
    stall_min_ms: float = 1_000.0
    stall_max_ms: float = 2_000.0


class LandingModel(msgspec.Struct, frozen=True):
    """How a swap gets into a block.

    `land_p` is the chance per slot at `reference_bid_lamports`; it saturates at
    `top_land_p` however high the bid. Congestion multiplies the reference bid and wanders
    around 1. `luck` is the standard deviation of ln(bid) in the order inside a slot,
    `rival_bid_lamports` what those who trade the same pool in the same slot usually bid.
    A transaction is re-sent until `fuse_blocks` have passed, so its chance does not fade.
    """

    land_p: float = 0.7
    top_land_p: float = 0.9
    reference_bid_lamports: int = 20_000
    congestion_spread: float = 0.35
    congestion_recall: float = 0.02
    luck: float = 0.8
    # The median of the reference scenarios' three competitors.
    rival_bid_lamports: int = 30_000
    fuse_blocks: int = 40


class PaperModel(msgspec.Struct, frozen=True):
    """Everything the paper desk assumes about venues and about its own process.

    `overhead_ms`: from the decision to the wire, the durable intent included. `notice_ms`:
    a slot is heard of this long after it began. `book_delay_ms`: how much later than at
    the venue a book frame is seen here. `settle_ms`: a slot's pool states have arrived
    this long after the slot itself. `confirm_ms`: a failed swap is believed at confirmed,
    two slots later. `cost_places`: decimals at which Kraken books cost and fee.
    `refill_ms`: what we took from a level is replaced after this long at the latest.
    `impact_slots`: our swap is projected onto the pool for at most this many slots.
    """

    kraken: WireModel = WireModel(20.0, 80.0, stall_p=0.002)
    rpc: WireModel = WireModel(6.0, 25.0)
    landing: LandingModel = LandingModel()
    overhead_ms: float = 3.0
    notice_ms: float = 150.0
    book_delay_ms: float = 10.0
    settle_ms: float = 40.0
    confirm_ms: float = 800.0
    base_fee_lamports: int = 5_000
    cost_places: int = 8
    refill_ms: float = 1_000.0
    impact_slots: int = 150
    hedge_slip_bps: int = 100
    hedge_pause_ms: float = 500.0
