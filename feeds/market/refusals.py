"""Every reason a swap has no quote, with the deployed program's code where it has one.

`SwapRefused` carries a reason out of nested math; `clmm`, `cpmm` and `ammv4` turn it
into the value their callers see, it never leaves this package.
"""

from __future__ import annotations

from feeds.market.pools import QuoteRefused

AMOUNT_RANGE = QuoteRefused("amount_out_of_range")
COMPUTE = QuoteRefused("compute")
NOT_LOADED = QuoteRefused("tick_array_missing")

# Orca Whirlpool
PRICE_LIMIT_RANGE = QuoteRefused("price_limit_out_of_range", 6011)
LIQUIDITY_OVERFLOW = QuoteRefused("liquidity_overflow", 6014)
LIQUIDITY_UNDERFLOW = QuoteRefused("liquidity_underflow", 6015)
TOKEN_MAX = QuoteRefused("token_amount_overflow", 6017)
TIMESTAMP = QuoteRefused("invalid_timestamp", 6022)
ARRAY_SEQUENCE = QuoteRefused("invalid_tick_array_sequence", 6023)
SHIFT_OVERFLOW = QuoteRefused("multiplication_overflow", 6030)
PRICE_LIMIT_SIDE = QuoteRefused("price_limit_wrong_side", 6034)
ZERO_AMOUNT = QuoteRefused("zero_amount", 6035)
ARRAYS_EXHAUSTED = QuoteRefused("tick_arrays_exhausted", 6038)
AMOUNT_OVERFLOW = QuoteRefused("amount_overflow", 6039)
REMAINING_OVERFLOW = QuoteRefused("remaining_overflow", 6040)
TRANSFER_FEE = QuoteRefused("transfer_fee_overflow", 6052)
PARTIAL_FILL = QuoteRefused("partial_fill", 6057)
NOT_ENABLED = QuoteRefused("trade_not_enabled", 6064)

# Raydium CPMM
CPMM_NOT_APPROVED = QuoteRefused("not_approved", 6000)
CPMM_ZERO = QuoteRefused("zero_amount", 2505)
CPMM_RESERVES = QuoteRefused("insufficient_reserves")
CPMM_CREATOR_FEE = QuoteRefused("creator_fee")

# Raydium AMM v4
AMMV4_STATUS = QuoteRefused("not_approved", 22)
AMMV4_WAITING = QuoteRefused("waiting_trade", 22)
AMMV4_ORDER_BOOK = QuoteRefused("order_book_share")
AMMV4_ZERO = QuoteRefused("zero_amount", 29)
AMMV4_RESERVES = QuoteRefused("insufficient_reserves", 40)


class SwapRefused(Exception):
    """Stops a swap's math; `reason` is the value to hand back."""

    def __init__(self, reason: QuoteRefused) -> None:
        super().__init__(reason.cause)
        self.reason = reason
