"""Token-2022 transfer fees: what arrives when x is sent, what to send for x to arrive.

Called by `clmm` at the edge between the user's amounts and the pool's. Production
markets use classic mints without such fees; the golden data and the simulator do not.
"""

from __future__ import annotations

from feeds.market.pools import TransferFee

_WHOLE_BPS = 10_000


def transfer_fee_ceil(amount_raw: int, fee: TransferFee | None) -> int:
    """Return the fee withheld when `amount_raw` is sent, rounded up and capped."""
    if fee is None:
        return 0
    return min(-(-amount_raw * fee.fee_bps // _WHOLE_BPS), fee.max_fee)


def net_of_fee(sent_raw: int, fee: TransferFee | None) -> int:
    """Return what arrives when `sent_raw` is sent."""
    return sent_raw - transfer_fee_ceil(sent_raw, fee)


def gross_of_fee(arriving_raw: int, fee: TransferFee | None) -> int:
    """Return what must be sent for `arriving_raw` to arrive, as the token program inverts it.

    The inversion rounds up, so a unit less would sometimes do; the chain takes this much.
    """
    if fee is None or fee.fee_bps == 0 or arriving_raw == 0:
        return arriving_raw
    if fee.fee_bps == _WHOLE_BPS:
        return arriving_raw + fee.max_fee
    sent = -(-arriving_raw * _WHOLE_BPS // (_WHOLE_BPS - fee.fee_bps))
    if sent - arriving_raw >= fee.max_fee:
        return arriving_raw + fee.max_fee
    return arriving_raw + transfer_fee_ceil(sent, fee)
