"""Laws of the codecs: decode(encode(x)) == x, and garbage raises FeedCorrupt and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsite.clock import seeded_random
from arbsite.errors import FeedCorrupt
from feeds.market.pools import AdaptiveFee, TickArray
from feeds.market.ticks import MAX_TICK, MIN_TICK, Tick, sqrt_price_from_tick
from feeds.venues.solana import layouts
from feeds.venues.solana.layouts import AmmConfig, RawAccount, TokenAccount, Traded
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, account, key

U16, U32, U64, U128 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64, 128))
POOL = key("whirlpool")


@given(
    tick=st.integers(MIN_TICK, MAX_TICK - 1),
    spacing=st.integers(1, (1 << 16) - 1),
    liquidity=U128,
    growth=U128,
    owed=U64,
    fee=st.integers(0, 60_000),
)
@settings(max_examples=80)
def test_whirlpool_survives_the_wire(
    tick: int, spacing: int, liquidity: int, growth: int, owed: int, fee: int
) -> None:
    pool = builders.whirlpool(
        tick_current_index=tick,
        tick_spacing=spacing,
        fee_tier_index=spacing,
        liquidity=liquidity,
        fee_growth_global_a=growth,
        protocol_fee_owed_b=owed,
        fee_rate=fee,
    )
    raw = account(pool.address, layouts.encode_whirlpool(pool), IDS.whirlpool)
    assert layouts.decode_whirlpool(raw, program=IDS.whirlpool) == pool


@st.composite
def tick_arrays(draw: st.DrawFn) -> tuple[TickArray, int]:
    spacing = draw(st.sampled_from([1, 4, 8, 64, 128]))
    start = draw(st.integers(-20, 20)) * 88 * spacing
    slots = sorted(draw(st.sets(st.integers(0, 87), max_size=88)))
    ticks = []
    for slot in slots:
        gross = draw(st.integers(0, (1 << 127) - 1))
        net = draw(st.integers(-gross, gross))
        ticks.append(Tick(start + slot * spacing, net, gross))
    kept = tuple(tick for tick in ticks if MIN_TICK <= tick.index <= MAX_TICK)
    return TickArray(start, kept), spacing


@given(drawn=tick_arrays(), dynamic=st.booleans())
@settings(max_examples=80)
def test_tick_arrays_survive_the_wire(drawn: tuple[TickArray, int], dynamic: bool) -> None:
    array, spacing = drawn
    encode = layouts.encode_dynamic_tick_array if dynamic else layouts.encode_fixed_tick_array
    data = encode(array, whirlpool=POOL, tick_spacing=spacing)
    assert len(data) == (148 + 112 * len(array.ticks) if dynamic else 9988)
    raw = account(key("array"), data, IDS.whirlpool)
    decoded = layouts.decode_tick_array(
        raw, program=IDS.whirlpool, whirlpool=POOL, tick_spacing=spacing
    )
    assert decoded == array


@given(u16=U16, u32=U32, u64=U64, group=st.integers(-(1 << 31), (1 << 31) - 1))
def test_oracle_and_token_survive_the_wire(u16: int, u32: int, u64: int, group: int) -> None:
    fee = AdaptiveFee(u16, u16 ^ 1, u16, u32, u32, 64, u16, u64, u64 ^ 1, u64, u32, group, u32)
    raw = account(key("oracle"), layouts.encode_oracle(fee, whirlpool=POOL), IDS.whirlpool)
    assert layouts.decode_oracle(raw, program=IDS.whirlpool, whirlpool=POOL) == fee
    token = TokenAccount(key("mint"), key("owner"), u64)
    raw = account(key("token"), layouts.encode_token_account(token), IDS.token)
    assert layouts.decode_token_account(raw, program=IDS.token) == token


@given(a=U64, b=U64, price=U128, a_to_b=st.booleans())
def test_swap_event_survives_the_log(a: int, b: int, price: int, a_to_b: bool) -> None:
    event = Traded(POOL, a_to_b, price, price ^ 1, a, b, b, a, a, b)
    noise = ["Program log: x", "Program data: aGVsbG8="]
    assert layouts.traded_from_logs([*noise, layouts.traded_log_line(event)]) == [event]


def test_cpmm_accounts_survive_the_wire() -> None:
    pool = builders.cpmm_pool()
    assert (pool.vault_a_raw, pool.trade_fee_rate, pool.protocol_fees_b) == (10_000_000, 2500, 200)
    config = AmmConfig(2, 20000, 120000, 40000, 500)
    raw = account(key("c"), layouts.encode_amm_config(config), IDS.cpmm)
    assert layouts.decode_amm_config(raw, program=IDS.cpmm) == config


def test_a_vault_that_holds_less_than_it_owes_is_refused() -> None:
    found = builders.cpmm_accounts(vault_a_raw=129)
    state = layouts.decode_cpmm_state(found[key("cpmm")], program=IDS.cpmm)
    with pytest.raises(FeedCorrupt, match="less than the fees owed"):
        layouts.assemble_cpmm(
            state,
            layouts.decode_amm_config(found[state.amm_config], program=IDS.cpmm),
            layouts.decode_token_account(found[state.vault_a], program=IDS.token),
            layouts.decode_token_account(found[state.vault_b], program=IDS.token),
            slot=1,
        )


def decoders() -> list[tuple[RawAccount, Callable[[RawAccount], object]]]:
    pool = builders.whirlpool()
    arrays = builders.arrays_around(pool)
    fixed = builders.whirlpool_accounts(pool, arrays[:1])
    moving = builders.whirlpool_accounts(pool, arrays[:1], dynamic=True)
    fee = AdaptiveFee(30, 600, 500, 4000, 350000, 64, 64)
    oracle = account(key("o"), layouts.encode_oracle(fee, whirlpool=POOL), IDS.whirlpool)
    cpmm = builders.cpmm_accounts()
    array_address = next(a for a in fixed if a != pool.address)

    def decode_array(raw: RawAccount) -> object:
        return layouts.decode_tick_array(raw, program=IDS.whirlpool, whirlpool=POOL, tick_spacing=4)

    return [
        (fixed[POOL], lambda raw: layouts.decode_whirlpool(raw, program=IDS.whirlpool)),
        (fixed[array_address], decode_array),
        (moving[array_address], decode_array),
        (
            oracle,
            lambda raw: layouts.decode_oracle(raw, program=IDS.whirlpool, whirlpool=POOL),
        ),
        (
            fixed[pool.vault_a],
            lambda raw: layouts.decode_token_account(raw, program=IDS.token),
        ),
        (cpmm[key("cpmm")], lambda raw: layouts.decode_cpmm_state(raw, program=IDS.cpmm)),
        (cpmm[key("amm config")], lambda raw: layouts.decode_amm_config(raw, program=IDS.cpmm)),
    ]


def test_mutated_accounts_raise_only_feed_corrupt() -> None:
    rng = seeded_random(14)
    refused = 0
    for raw, decode in decoders():
        decode(raw)
        for _ in range(500):
            data = bytearray(raw.data)
            for _ in range(rng.randint(1, 4)):
                kind = rng.randrange(4)
                if kind == 0 and data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
                elif kind == 1:
                    del data[rng.randrange(len(data) + 1) :]
                elif kind == 2:
                    data += rng.randbytes(rng.randint(1, 200))
                else:
                    at = rng.randrange(len(data) + 1)
                    data[at : at + 16] = rng.randbytes(16)
            try:
                decode(account(raw.address, bytes(data), raw.owner))
            except FeedCorrupt:
                refused += 1
    assert refused > 1500


def test_another_owner_length_or_discriminator_is_named() -> None:
    for raw, decode in decoders():
        with pytest.raises(FeedCorrupt, match="owned by"):
            decode(account(raw.address, raw.data, builders.SYSTEM))
        with pytest.raises(FeedCorrupt, match="length"):
            decode(account(raw.address, raw.data + b"\0", raw.owner))
        if raw.owner != IDS.token:
            with pytest.raises(FeedCorrupt, match="discriminator"):
                decode(account(raw.address, bytes(8) + raw.data[8:], raw.owner))


def test_a_price_that_is_not_at_its_tick_is_refused() -> None:
    pool = builders.whirlpool(tick_current_index=10, sqrt_price=sqrt_price_from_tick(12))
    raw = account(pool.address, layouts.encode_whirlpool(pool), IDS.whirlpool)
    with pytest.raises(FeedCorrupt, match="does not hold the price"):
        layouts.decode_whirlpool(raw, program=IDS.whirlpool)
