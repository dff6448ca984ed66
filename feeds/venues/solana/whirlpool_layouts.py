"""Orca Whirlpool layouts: pool, fixed and dynamic tick arrays, oracle, swap event.

Decode and encode, nothing else. Offsets, discriminators and bounds are facts of the
deployed program, checked on recorded accounts. Decoding raises `FeedCorrupt` naming the
cause for anything the program cannot have written. Encoding takes an optional
`template`: fields we do not model (bumps, rewards, growth per tick) are kept from it, so
`encode(decode(x), template=x) == x`. Imported through `layouts`.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.pools import AdaptiveFee, TickArray, Whirlpool
from feeds.market.ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    TICKS_PER_ARRAY,
    Tick,
    sqrt_price_from_tick,
)
from feeds.venues.solana.accounts import (
    RawAccount,
    blank,
    expect_layout,
    expect_owner,
    key_bytes,
    key_text,
)

WHIRLPOOL_LEN = 653
FIXED_TICK_ARRAY_LEN = 9988
DYNAMIC_TICK_ARRAY_MIN_LEN = 148
ORACLE_LEN = 254

WHIRLPOOL_DISC = bytes.fromhex("3f95d10ce1806309")
FIXED_TICK_ARRAY_DISC = bytes.fromhex("4561bdbe6e0742bb")
DYNAMIC_TICK_ARRAY_DISC = bytes.fromhex("11d8f68ee1c7da38")
ORACLE_DISC = bytes.fromhex("8bc283b38cb3e5f4")
TRADED_DISC = bytes.fromhex("e1ca49af932ba096")

_MAX_FEE_RATE = 60_000
_MAX_PROTOCOL_FEE_RATE = 2_500

# u128 has no struct code: it is read as two u64 halves, low first.
_HEAD = struct.Struct("<HHHHQQQQiQQ")  # pool bytes 41..101
_I32 = struct.Struct("<i")
_TICK_HEAD = struct.Struct("<QqQQ")  # liquidity_net i128, liquidity_gross u128
_ORACLE_CONSTANTS = struct.Struct("<QHHHIIHH")  # oracle bytes 40..66
_ORACLE_VARIABLES = struct.Struct("<QQIiI")  # oracle bytes 82..110
_TRADED = struct.Struct("<32sBQQQQQQQQQQ")

_FIXED_TICK_SIZE = 113
_DYNAMIC_TICK_SIZE = 112
_MASK64 = (1 << 64) - 1
_LOG_PREFIX = "Program data: "


class Traded(msgspec.Struct, frozen=True, gc=False):
    """The program's swap event: an exact record of one hop, raw units."""

    whirlpool: str
    a_to_b: bool
    pre_sqrt_price: int
    post_sqrt_price: int
    amount_in: int
    amount_out: int
    transfer_fee_in: int
    transfer_fee_out: int
    lp_fee: int
    protocol_fee: int


def decode_whirlpool(account: RawAccount, *, program: str, slot: int = 0) -> Whirlpool:
    """Decode a Whirlpool account without its tick arrays and oracle."""
    data = account.data
    expect_layout(account, program, WHIRLPOOL_DISC, WHIRLPOOL_LEN, "whirlpool")
    (
        spacing, tier, fee_rate, protocol_rate, l_lo, l_hi, p_lo, p_hi, tick, owed_a, owed_b,
    ) = _HEAD.unpack_from(data, 41)  # fmt: skip
    pool = Whirlpool(
        address=account.address,
        mint_a=key_text(data[101:133]),
        mint_b=key_text(data[181:213]),
        vault_a=key_text(data[133:165]),
        vault_b=key_text(data[213:245]),
        tick_spacing=spacing,
        fee_tier_index=tier,
        fee_rate=fee_rate,
        protocol_fee_rate=protocol_rate,
        liquidity=l_lo | l_hi << 64,
        sqrt_price=p_lo | p_hi << 64,
        tick_current_index=tick,
        fee_growth_global_a=int.from_bytes(data[165:181], "little"),
        fee_growth_global_b=int.from_bytes(data[245:261], "little"),
        protocol_fee_owed_a=owed_a,
        protocol_fee_owed_b=owed_b,
        slot=slot,
    )
    if not data[101:133] < data[181:213]:
        raise FeedCorrupt(f"whirlpool {account.address}: mints are not in order")
    _check_whirlpool(pool)
    return pool


def _check_whirlpool(pool: Whirlpool) -> None:
    """Refuse values the program never writes; a torn read fails here, not in a quote."""
    where = f"whirlpool {pool.address}"
    if pool.tick_spacing == 0:
        raise FeedCorrupt(f"{where}: tick spacing 0")
    if pool.fee_rate > _MAX_FEE_RATE or pool.protocol_fee_rate > _MAX_PROTOCOL_FEE_RATE:
        raise FeedCorrupt(f"{where}: fee rate out of range")
    if not MIN_SQRT_PRICE <= pool.sqrt_price <= MAX_SQRT_PRICE:
        raise FeedCorrupt(f"{where}: price out of range")
    tick = pool.tick_current_index
    if not MIN_TICK - 1 <= tick <= MAX_TICK:
        raise FeedCorrupt(f"{where}: tick {tick} out of range")
    low = sqrt_price_from_tick(max(tick, MIN_TICK))
    # Ending exactly on a tick while falling leaves tick - 1 stored: both ends are legal.
    high = sqrt_price_from_tick(min(tick + 1, MAX_TICK))
    if not low <= pool.sqrt_price <= high:
        raise FeedCorrupt(f"{where}: tick {tick} does not hold the price")


def encode_whirlpool(pool: Whirlpool, template: bytes | None = None) -> bytes:
    """Encode the modelled fields of a Whirlpool account over `template` (zeros if None)."""
    data = blank(template, WHIRLPOOL_LEN)
    data[0:8] = WHIRLPOOL_DISC
    _HEAD.pack_into(
        data, 41,
        pool.tick_spacing, pool.fee_tier_index, pool.fee_rate, pool.protocol_fee_rate,
        pool.liquidity & _MASK64, pool.liquidity >> 64,
        pool.sqrt_price & _MASK64, pool.sqrt_price >> 64,
        pool.tick_current_index, pool.protocol_fee_owed_a, pool.protocol_fee_owed_b,
    )  # fmt: skip
    data[101:133] = key_bytes(pool.mint_a)
    data[133:165] = key_bytes(pool.vault_a)
    data[165:181] = pool.fee_growth_global_a.to_bytes(16, "little")
    data[181:213] = key_bytes(pool.mint_b)
    data[213:245] = key_bytes(pool.vault_b)
    data[245:261] = pool.fee_growth_global_b.to_bytes(16, "little")
    return bytes(data)


def decode_tick_array(
    account: RawAccount, *, program: str, whirlpool: str, tick_spacing: int
) -> TickArray:
    """Decode a fixed or dynamic tick array (told apart by the discriminator, never the PDA)."""
    expect_owner(account, program, "tick array")
    data = account.data
    disc = data[:8]
    if disc == FIXED_TICK_ARRAY_DISC:
        array = _decode_fixed(account, whirlpool, tick_spacing)
    elif disc == DYNAMIC_TICK_ARRAY_DISC:
        array = _decode_dynamic(account, whirlpool, tick_spacing)
    else:
        raise FeedCorrupt(f"tick array {account.address}: discriminator {disc.hex()}")
    return array


def _decode_fixed(account: RawAccount, whirlpool: str, spacing: int) -> TickArray:
    data = account.data
    if len(data) != FIXED_TICK_ARRAY_LEN:
        raise FeedCorrupt(f"tick array {account.address}: length {len(data)}")
    start = _array_start(account, data[9956:9988], whirlpool, spacing)
    ticks = []
    at = 12
    for slot in range(TICKS_PER_ARRAY):
        if data[at] == 1:
            ticks.append(_decode_tick(account, at + 1, start + slot * spacing))
        elif data[at]:
            raise FeedCorrupt(f"tick array {account.address}: flag {data[at]}")
        at += _FIXED_TICK_SIZE
    return TickArray(start, tuple(ticks))


def _decode_dynamic(account: RawAccount, whirlpool: str, spacing: int) -> TickArray:
    data = account.data
    if len(data) < DYNAMIC_TICK_ARRAY_MIN_LEN:
        raise FeedCorrupt(f"tick array {account.address}: length {len(data)}")
    start = _array_start(account, data[12:44], whirlpool, spacing)
    bitmap = int.from_bytes(data[44:60], "little")
    if bitmap >> TICKS_PER_ARRAY:
        raise FeedCorrupt(f"tick array {account.address}: bitmap beyond 88 ticks")
    # The account is resized with every tick opened or closed: the bitmap fixes its length.
    if len(data) != DYNAMIC_TICK_ARRAY_MIN_LEN + _DYNAMIC_TICK_SIZE * bitmap.bit_count():
        raise FeedCorrupt(f"tick array {account.address}: length {len(data)} against bitmap")
    ticks = []
    at = 60
    for slot in range(TICKS_PER_ARRAY):
        if data[at] != bitmap >> slot & 1:
            raise FeedCorrupt(f"tick array {account.address}: flag against bitmap at {slot}")
        if data[at]:
            ticks.append(_decode_tick(account, at + 1, start + slot * spacing))
            at += _DYNAMIC_TICK_SIZE
        at += 1
    return TickArray(start, tuple(ticks))


def _array_start(account: RawAccount, owner_pool: bytes, whirlpool: str, spacing: int) -> int:
    if key_text(owner_pool) != whirlpool:
        raise FeedCorrupt(f"tick array {account.address}: belongs to another pool")
    start = int(_I32.unpack_from(account.data, 8)[0])
    span = TICKS_PER_ARRAY * spacing
    if start % span or start > MAX_TICK or start + span <= MIN_TICK:
        raise FeedCorrupt(f"tick array {account.address}: start {start}")
    return start


def _decode_tick(account: RawAccount, at: int, index: int) -> Tick:
    net_lo, net_hi, gross_lo, gross_hi = _TICK_HEAD.unpack_from(account.data, at)
    tick = Tick(index, net_lo | net_hi << 64, gross_lo | gross_hi << 64)
    if not MIN_TICK <= index <= MAX_TICK or abs(tick.liquidity_net) > tick.liquidity_gross:
        raise FeedCorrupt(f"tick array {account.address}: tick {index} is impossible")
    return tick


def encode_fixed_tick_array(
    array: TickArray, *, whirlpool: str, tick_spacing: int, template: bytes | None = None
) -> bytes:
    """Encode a 9988-byte TickArray."""
    data = blank(template, FIXED_TICK_ARRAY_LEN)
    data[0:8] = FIXED_TICK_ARRAY_DISC
    _I32.pack_into(data, 8, array.start_index)
    opened = {tick.index: tick for tick in array.ticks}
    for slot in range(TICKS_PER_ARRAY):
        at = 12 + slot * _FIXED_TICK_SIZE
        tick = opened.get(array.start_index + slot * tick_spacing)
        if tick is None:
            data[at : at + _FIXED_TICK_SIZE] = bytes(_FIXED_TICK_SIZE)
        else:
            data[at] = 1
            _pack_tick(data, at + 1, tick)
    data[9956:9988] = key_bytes(whirlpool)
    return bytes(data)


def encode_dynamic_tick_array(
    array: TickArray, *, whirlpool: str, tick_spacing: int, template: bytes | None = None
) -> bytes:
    """Encode a DynamicTickArray of 148 + 112·k bytes; k ticks opened.

    `template` must have the same ticks opened (its growth fields are kept), else None.
    """
    opened = {(tick.index - array.start_index) // tick_spacing: tick for tick in array.ticks}
    length = DYNAMIC_TICK_ARRAY_MIN_LEN + _DYNAMIC_TICK_SIZE * len(opened)
    bitmap = sum(1 << slot for slot in opened).to_bytes(16, "little")
    if template is not None and template[44:60] != bitmap:
        raise ValueError("the template opens other ticks")
    data = blank(template, length)
    data[0:8] = DYNAMIC_TICK_ARRAY_DISC
    _I32.pack_into(data, 8, array.start_index)
    data[12:44] = key_bytes(whirlpool)
    data[44:60] = bitmap
    at = 60
    for slot in range(TICKS_PER_ARRAY):
        tick = opened.get(slot)
        if tick is not None:
            data[at] = 1
            _pack_tick(data, at + 1, tick)
            at += _DYNAMIC_TICK_SIZE
        at += 1
    return bytes(data)


def _pack_tick(data: bytearray, at: int, tick: Tick) -> None:
    net = tick.liquidity_net
    _TICK_HEAD.pack_into(
        data,
        at,
        net & _MASK64,
        net >> 64,
        tick.liquidity_gross & _MASK64,
        tick.liquidity_gross >> 64,
    )


def decode_oracle(account: RawAccount, *, program: str, whirlpool: str) -> AdaptiveFee:
    """Decode the adaptive-fee oracle of a pool."""
    expect_layout(account, program, ORACLE_DISC, ORACLE_LEN, "oracle")
    data = account.data
    if key_text(data[8:40]) != whirlpool:
        raise FeedCorrupt(f"oracle {account.address}: belongs to another pool")
    enabled_at, filter_period, decay_period, reduction, control, cap, group, major = (
        _ORACLE_CONSTANTS.unpack_from(data, 40)
    )
    if group == 0:
        raise FeedCorrupt(f"oracle {account.address}: tick group size 0")
    reference_at, major_at, volatility, group_reference, accumulator = (
        _ORACLE_VARIABLES.unpack_from(data, 82)
    )
    return AdaptiveFee(
        filter_period=filter_period,
        decay_period=decay_period,
        reduction_factor=reduction,
        adaptive_fee_control_factor=control,
        max_volatility_accumulator=cap,
        tick_group_size=group,
        major_swap_threshold_ticks=major,
        trade_enable_timestamp=enabled_at,
        last_reference_update_timestamp=reference_at,
        last_major_swap_timestamp=major_at,
        volatility_reference=volatility,
        tick_group_index_reference=group_reference,
        volatility_accumulator=accumulator,
    )


def encode_oracle(fee: AdaptiveFee, *, whirlpool: str, template: bytes | None = None) -> bytes:
    """Encode a 254-byte Oracle account."""
    data = blank(template, ORACLE_LEN)
    data[0:8] = ORACLE_DISC
    data[8:40] = key_bytes(whirlpool)
    _ORACLE_CONSTANTS.pack_into(
        data, 40,
        fee.trade_enable_timestamp, fee.filter_period, fee.decay_period, fee.reduction_factor,
        fee.adaptive_fee_control_factor, fee.max_volatility_accumulator, fee.tick_group_size,
        fee.major_swap_threshold_ticks,
    )  # fmt: skip
    _ORACLE_VARIABLES.pack_into(
        data, 82,
        fee.last_reference_update_timestamp, fee.last_major_swap_timestamp,
        fee.volatility_reference, fee.tick_group_index_reference, fee.volatility_accumulator,
    )  # fmt: skip
    return bytes(data)


# ---------------------------------------------------------------------- event


def decode_traded(payload: bytes) -> Traded:
    """Decode one Traded event (discriminator included)."""
    if payload[:8] != TRADED_DISC or len(payload) != 8 + _TRADED.size:
        raise FeedCorrupt(f"not a Traded event: {payload[:8].hex()}, {len(payload)} bytes")
    pool, a_to_b, pre_lo, pre_hi, post_lo, post_hi, *amounts = _TRADED.unpack_from(payload, 8)
    if a_to_b > 1:
        raise FeedCorrupt(f"Traded event: direction {a_to_b}")
    return Traded(
        key_text(pool), bool(a_to_b), pre_lo | pre_hi << 64, post_lo | post_hi << 64, *amounts
    )


def encode_traded(event: Traded) -> bytes:
    """Encode one Traded event, discriminator included."""
    return TRADED_DISC + _TRADED.pack(
        key_bytes(event.whirlpool), event.a_to_b,
        event.pre_sqrt_price & _MASK64, event.pre_sqrt_price >> 64,
        event.post_sqrt_price & _MASK64, event.post_sqrt_price >> 64,
        event.amount_in, event.amount_out, event.transfer_fee_in, event.transfer_fee_out,
        event.lp_fee, event.protocol_fee,
    )  # fmt: skip


def traded_log_line(event: Traded) -> str:
    """Return the log line the program writes for this event."""
    return _LOG_PREFIX + base64.b64encode(encode_traded(event)).decode()


def traded_from_logs(lines: Iterable[str]) -> list[Traded]:
    """Collect the Traded events of a transaction's log lines, other lines skipped."""
    events = []
    for line in lines:
        if not line.startswith(_LOG_PREFIX):
            continue
        try:
            payload = base64.b64decode(line[len(_LOG_PREFIX) :], validate=True)
        except binascii.Error as error:
            raise FeedCorrupt("program data is not base64") from error
        if payload[:8] == TRADED_DISC:
            events.append(decode_traded(payload))
    return events
