"""Raydium CPMM layouts: pool state and fee configuration, and the pool they make up.

Decode and encode, nothing else; offsets are facts of the deployed program, checked on
recorded accounts. The pool account holds no reserves: a `CpmmPool` needs pool, config
and both vaults read at ONE slot, which is the caller's duty. Imported through `layouts`.
"""

from __future__ import annotations

import struct

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.market.pools import CpmmPool
from feeds.venues.solana.accounts import (
    RawAccount,
    TokenAccount,
    blank,
    expect_layout,
    key_bytes,
    key_text,
)

CPMM_POOL_LEN = 637
AMM_CONFIG_LEN = 236
CPMM_POOL_DISC = bytes.fromhex("f7ede3f5d7c3de46")
AMM_CONFIG_DISC = bytes.fromhex("daf42168cbcb2b6f")

_RATE_DENOMINATOR = 1_000_000
_U64 = struct.Struct("<Q")
_FEES = struct.Struct("<QQQQQ")  # pool bytes 341..381: protocol 0/1, fund 0/1, open_time
_PAIR = struct.Struct("<QQ")  # pool bytes 397..413: creator fees owed
_RATES = struct.Struct("<HQQQ")  # config bytes 10..36


class AmmConfig(msgspec.Struct, frozen=True, gc=False):
    """Fee configuration; rates in 1e-6 (protocol and fund: of the trade fee)."""

    index: int
    trade_fee_rate: int
    protocol_fee_rate: int
    fund_fee_rate: int
    creator_fee_rate: int = 0


class CpmmState(msgspec.Struct, frozen=True, gc=False):
    """The pool account alone: keys, status and fees owed (raw), no reserves."""

    address: str
    amm_config: str
    vault_a: str
    vault_b: str
    mint_a: str
    mint_b: str
    token_program_a: str
    token_program_b: str
    observation: str
    status: int
    decimals_a: int
    decimals_b: int
    protocol_fees_a: int
    protocol_fees_b: int
    fund_fees_a: int
    fund_fees_b: int
    open_time: int
    creator_fee_on: int
    enable_creator_fee: int
    creator_fees_a: int
    creator_fees_b: int


def decode_cpmm_state(account: RawAccount, *, program: str) -> CpmmState:
    """Decode a PoolState account; `program` tells it from the CLMM account of equal disc."""
    expect_layout(account, program, CPMM_POOL_DISC, CPMM_POOL_LEN, "cpmm pool")
    data = account.data
    if not data[168:200] < data[200:232]:
        raise FeedCorrupt(f"cpmm pool {account.address}: mints are not in order")
    protocol_a, protocol_b, fund_a, fund_b, open_time = _FEES.unpack_from(data, 341)
    creator_a, creator_b = _PAIR.unpack_from(data, 397)
    if data[389] > 2 or data[390] > 1:
        raise FeedCorrupt(f"cpmm pool {account.address}: creator fee mode {data[389]}/{data[390]}")
    return CpmmState(
        address=account.address,
        amm_config=key_text(data[8:40]),
        vault_a=key_text(data[72:104]),
        vault_b=key_text(data[104:136]),
        mint_a=key_text(data[168:200]),
        mint_b=key_text(data[200:232]),
        token_program_a=key_text(data[232:264]),
        token_program_b=key_text(data[264:296]),
        observation=key_text(data[296:328]),
        status=data[329],
        decimals_a=data[331],
        decimals_b=data[332],
        protocol_fees_a=protocol_a,
        protocol_fees_b=protocol_b,
        fund_fees_a=fund_a,
        fund_fees_b=fund_b,
        open_time=open_time,
        creator_fee_on=data[389],
        enable_creator_fee=data[390],
        creator_fees_a=creator_a,
        creator_fees_b=creator_b,
    )


def encode_cpmm_state(state: CpmmState, template: bytes | None = None) -> bytes:
    """Encode a 637-byte PoolState over `template` (zeros if None)."""
    data = blank(template, CPMM_POOL_LEN)
    data[0:8] = CPMM_POOL_DISC
    data[8:40] = key_bytes(state.amm_config)
    keys = (
        (72, state.vault_a), (104, state.vault_b), (168, state.mint_a), (200, state.mint_b),
        (232, state.token_program_a), (264, state.token_program_b), (296, state.observation),
    )  # fmt: skip
    for at, key in keys:
        data[at : at + 32] = key_bytes(key)
    data[329] = state.status
    data[331] = state.decimals_a
    data[332] = state.decimals_b
    _FEES.pack_into(
        data, 341,
        state.protocol_fees_a, state.protocol_fees_b,
        state.fund_fees_a, state.fund_fees_b, state.open_time,
    )  # fmt: skip
    data[389] = state.creator_fee_on
    data[390] = state.enable_creator_fee
    _PAIR.pack_into(data, 397, state.creator_fees_a, state.creator_fees_b)
    return bytes(data)


def decode_amm_config(account: RawAccount, *, program: str) -> AmmConfig:
    """Decode an AmmConfig account."""
    expect_layout(account, program, AMM_CONFIG_DISC, AMM_CONFIG_LEN, "amm config")
    index, trade, protocol, fund = _RATES.unpack_from(account.data, 10)
    config = AmmConfig(index, trade, protocol, fund, _U64.unpack_from(account.data, 108)[0])
    if max(trade + config.creator_fee_rate, protocol + fund) > _RATE_DENOMINATOR:
        raise FeedCorrupt(f"amm config {account.address}: rates above 100 %")
    return config


def encode_amm_config(config: AmmConfig, template: bytes | None = None) -> bytes:
    """Encode a 236-byte AmmConfig over `template` (zeros if None)."""
    data = blank(template, AMM_CONFIG_LEN)
    data[0:8] = AMM_CONFIG_DISC
    _RATES.pack_into(
        data, 10,
        config.index, config.trade_fee_rate, config.protocol_fee_rate, config.fund_fee_rate,
    )  # fmt: skip
    _U64.pack_into(data, 108, config.creator_fee_rate)
    return bytes(data)


def assemble_cpmm(
    state: CpmmState,
    config: AmmConfig,
    vault_a: TokenAccount,
    vault_b: TokenAccount,
    *,
    slot: int,
    program_build: str = "current",
) -> CpmmPool:
    """Put one pool together from accounts true at `slot`; FeedCorrupt when they disagree."""
    if (vault_a.mint, vault_b.mint) != (state.mint_a, state.mint_b):
        raise FeedCorrupt(f"cpmm pool {state.address}: vaults hold other mints")
    if (
        vault_a.amount_raw < state.protocol_fees_a + state.fund_fees_a + state.creator_fees_a
        or vault_b.amount_raw < state.protocol_fees_b + state.fund_fees_b + state.creator_fees_b
    ):
        raise FeedCorrupt(f"cpmm pool {state.address}: a vault holds less than the fees owed")
    return CpmmPool(
        address=state.address,
        amm_config=state.amm_config,
        mint_a=state.mint_a,
        mint_b=state.mint_b,
        vault_a=state.vault_a,
        vault_b=state.vault_b,
        vault_a_raw=vault_a.amount_raw,
        vault_b_raw=vault_b.amount_raw,
        protocol_fees_a=state.protocol_fees_a,
        protocol_fees_b=state.protocol_fees_b,
        fund_fees_a=state.fund_fees_a,
        fund_fees_b=state.fund_fees_b,
        creator_fees_a=state.creator_fees_a,
        creator_fees_b=state.creator_fees_b,
        creator_fee_on=state.creator_fee_on,
        enable_creator_fee=state.enable_creator_fee,
        status=state.status,
        open_time=state.open_time,
        trade_fee_rate=config.trade_fee_rate,
        protocol_fee_rate=config.protocol_fee_rate,
        fund_fee_rate=config.fund_fee_rate,
        creator_fee_rate=config.creator_fee_rate,
        observation=state.observation,
        program_build=program_build,
        slot=slot,
    )
