"""Pool states as plain integers: what the chain says about one pool at one slot.

These structs are shared by the decoders (`venues/solana/layouts`), the exact math
(`clmm`, `cpmm`, `ammv4`), the engine and the simulator. They hold no behaviour. All
amounts are raw base units, prices Q64.64 of sqrt(raw_b / raw_a). Layout source: facts of
the deployed Orca Whirlpool, Raydium CPMM and Raydium AMM v4 programs.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from feeds.market.stops import TickStops
from feeds.market.ticks import Tick


class TickArray(msgspec.Struct, frozen=True, dict=True):
    """One 88-tick array: fixed and dynamic accounts decode to the same thing.

    `exists=False` means the PDA was never created: it counts as all-uninitialised. What
    follows from the ticks alone is kept beside them once somebody has walked there.
    """

    start_index: int
    ticks: tuple[Tick, ...] = ()
    exists: bool = True

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """The ticks' indices, ascending."""
        return tuple([tick.index for tick in self.ticks])

    @cached_property
    def falling(self) -> TickStops:
        """The stops of a falling price, highest tick first."""
        return TickStops(self.ticks, falling=True)

    @cached_property
    def rising(self) -> TickStops:
        """The stops of a rising price, lowest tick first."""
        return TickStops(self.ticks, falling=False)


class AdaptiveFee(msgspec.Struct, frozen=True, gc=False):
    """Oracle account of an adaptive-fee pool: constants, then variables."""

    filter_period: int
    decay_period: int
    reduction_factor: int
    adaptive_fee_control_factor: int
    max_volatility_accumulator: int
    tick_group_size: int
    major_swap_threshold_ticks: int
    trade_enable_timestamp: int = 0
    last_reference_update_timestamp: int = 0
    last_major_swap_timestamp: int = 0
    volatility_reference: int = 0
    tick_group_index_reference: int = 0
    volatility_accumulator: int = 0


class TransferFee(msgspec.Struct, frozen=True, gc=False):
    """Token-2022 TransferFeeConfig in force: fee = min(ceil(x·bps/10000), max_fee)."""

    fee_bps: int
    max_fee: int


class Whirlpool(msgspec.Struct, frozen=True, tag="whirlpool"):
    """An Orca Whirlpool with the tick arrays loaded around its price.

    `tick_arrays` is ordered by start index and contiguous (a gap is an array that was
    not loaded: a walk into it is refused). `oracle` is None on a static-fee pool.
    """

    address: str
    mint_a: str
    mint_b: str
    vault_a: str
    vault_b: str
    tick_spacing: int
    fee_tier_index: int
    fee_rate: int
    protocol_fee_rate: int
    liquidity: int
    sqrt_price: int
    tick_current_index: int
    fee_growth_global_a: int
    fee_growth_global_b: int
    protocol_fee_owed_a: int
    protocol_fee_owed_b: int
    tick_arrays: tuple[TickArray, ...] = ()
    oracle: AdaptiveFee | None = None
    transfer_fee_a: TransferFee | None = None
    transfer_fee_b: TransferFee | None = None
    slot: int = 0


class CpmmPool(msgspec.Struct, frozen=True, tag="cpmm"):
    """A Raydium CPMM pool with its vault balances and fee configuration.

    Reserves are `vault - fees owed` per side; a swap moves the vaults, not the account.
    `program_build` selects the exact-out rounding: "pre_2025_08" or "current".
    """

    address: str
    amm_config: str
    mint_a: str
    mint_b: str
    vault_a: str
    vault_b: str
    vault_a_raw: int
    vault_b_raw: int
    protocol_fees_a: int
    protocol_fees_b: int
    fund_fees_a: int
    fund_fees_b: int
    creator_fees_a: int
    creator_fees_b: int
    creator_fee_on: int
    enable_creator_fee: int
    status: int
    open_time: int
    trade_fee_rate: int
    protocol_fee_rate: int
    fund_fee_rate: int
    creator_fee_rate: int = 0
    observation: str = ""
    program_build: str = "current"
    slot: int = 0


class AmmV4Pool(msgspec.Struct, frozen=True, tag="ammv4"):
    """A Raydium AMM v4 pool with its vault balances; a is its "coin", b its "pc".

    Mints are in no order. Reserves are `vault - need_take_pnl` per side. `program_build`
    selects the rounding of results below one: "openbook" (to nearest) or "current" (up).
    """

    address: str
    mint_a: str
    mint_b: str
    vault_a: str
    vault_b: str
    vault_a_raw: int
    vault_b_raw: int
    need_take_pnl_a: int
    need_take_pnl_b: int
    swap_fee_numerator: int
    swap_fee_denominator: int
    status: int
    open_time: int
    program_build: str = "current"
    slot: int = 0


Pool = Whirlpool | CpmmPool | AmmV4Pool


class Swap(msgspec.Struct, frozen=True, gc=False):
    """An exact swap: what the user pays and gets (raw, transfer fees included).

    `fee` is the whole swap fee in the input token; `after` the pool's state afterwards.
    `crossings` counts initialised ticks crossed (0 on a constant-product pool).
    """

    amount_in: int
    amount_out: int
    fee: int
    crossings: int
    after: Pool


class Amounts(msgspec.Struct, frozen=True, gc=False):
    """What the user pays and gets (raw, transfer fees included): a swap without its state."""

    amount_in: int
    amount_out: int


class QuoteRefused(msgspec.Struct, frozen=True, gc=False):
    """Why no quote exists: a stable word and, where the chain has one, its error code."""

    cause: str
    code: int | None = None
