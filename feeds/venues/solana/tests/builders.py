"""Builders of pool states and raw accounts with sensible defaults, for this folder's tests."""

from __future__ import annotations

import hashlib
from typing import Any

from feeds.market.pools import AmmV4Pool, CpmmPool, TickArray, Whirlpool
from feeds.market.ticks import Tick, sqrt_price_from_tick
from feeds.venues.solana import layouts
from feeds.venues.solana.layouts import AmmConfig, AmmV4State, CpmmState, RawAccount, TokenAccount
from feeds.venues.solana.programs import (
    ProgramIds,
    ammv4_authority,
    cpmm_authority,
    observation_address,
    oracle_address,
    tick_array_address,
)

IDS = ProgramIds()
WSOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SYSTEM = "11111111111111111111111111111111"


def key(label: str) -> str:
    return layouts.key_text(hashlib.sha256(label.encode()).digest())


def whirlpool(**changes: Any) -> Whirlpool:
    fields: dict[str, Any] = {
        "address": key("whirlpool"),
        "mint_a": WSOL,
        "mint_b": USDC,
        "vault_a": key("vault a"),
        "vault_b": key("vault b"),
        "tick_spacing": 4,
        "fee_tier_index": 4,
        "fee_rate": 400,
        "protocol_fee_rate": 1300,
        "liquidity": 689480494328519,
        "sqrt_price": sqrt_price_from_tick(-26147) + 1,
        "tick_current_index": -26147,
        "fee_growth_global_a": 1 << 100,
        "fee_growth_global_b": 5,
        "protocol_fee_owed_a": 11,
        "protocol_fee_owed_b": 12,
    }
    if "tick_current_index" in changes and "sqrt_price" not in changes:
        fields["sqrt_price"] = sqrt_price_from_tick(changes["tick_current_index"])
    return Whirlpool(**(fields | changes))


def account(address: str, data: bytes, owner: str, lamports: int = 1) -> RawAccount:
    return RawAccount(address, owner, lamports, data)


def whirlpool_accounts(
    pool: Whirlpool, arrays: list[TickArray], *, dynamic: bool = False
) -> dict[str, RawAccount]:
    """All accounts of a pool as the chain would hold them, by address."""
    made = [account(pool.address, layouts.encode_whirlpool(pool), IDS.whirlpool)]
    encode = layouts.encode_dynamic_tick_array if dynamic else layouts.encode_fixed_tick_array
    for array in arrays:
        address = tick_array_address(pool.address, array.start_index, IDS)
        data = encode(array, whirlpool=pool.address, tick_spacing=pool.tick_spacing)
        made.append(account(address, data, IDS.whirlpool))
    if pool.oracle is not None:
        data = layouts.encode_oracle(pool.oracle, whirlpool=pool.address)
        made.append(account(oracle_address(pool.address, IDS), data, IDS.whirlpool))
    for vault, mint in ((pool.vault_a, pool.mint_a), (pool.vault_b, pool.mint_b)):
        made.append(token_account(vault, mint, pool.address, 10**12))
    return {one.address: one for one in made}


def token_account(address: str, mint: str, owner: str, amount_raw: int) -> RawAccount:
    data = layouts.encode_token_account(TokenAccount(mint, owner, amount_raw))
    return account(address, data, IDS.token)


def cpmm_accounts(**changes: Any) -> dict[str, RawAccount]:
    """The pool, config and vault accounts of one CPMM pool, by address."""
    pool = key("cpmm")
    vault_a_raw = changes.pop("vault_a_raw", 10_000_000)
    vault_b_raw = changes.pop("vault_b_raw", 2_000_000)
    fields: dict[str, Any] = {
        "address": pool,
        "amm_config": key("amm config"),
        "vault_a": key("cpmm vault a"),
        "vault_b": key("cpmm vault b"),
        "mint_a": WSOL,
        "mint_b": USDC,
        "token_program_a": IDS.token,
        "token_program_b": IDS.token,
        "observation": observation_address(pool, IDS),
        "status": 0,
        "decimals_a": 9,
        "decimals_b": 6,
        "protocol_fees_a": 100,
        "protocol_fees_b": 200,
        "fund_fees_a": 30,
        "fund_fees_b": 40,
        "open_time": 0,
        "creator_fee_on": 0,
        "enable_creator_fee": 0,
        "creator_fees_a": 0,
        "creator_fees_b": 0,
    }
    state = CpmmState(**(fields | changes))
    config = layouts.encode_amm_config(AmmConfig(0, 2500, 120000, 40000))
    authority = cpmm_authority(IDS)
    made = [
        account(state.address, layouts.encode_cpmm_state(state), IDS.cpmm),
        account(state.amm_config, config, IDS.cpmm),
        token_account(state.vault_a, state.mint_a, authority, vault_a_raw),
        token_account(state.vault_b, state.mint_b, authority, vault_b_raw),
    ]
    return {one.address: one for one in made}


def cpmm_pool() -> CpmmPool:
    found = cpmm_accounts()
    state = layouts.decode_cpmm_state(found[key("cpmm")], program=IDS.cpmm)
    return layouts.assemble_cpmm(
        state,
        layouts.decode_amm_config(found[state.amm_config], program=IDS.cpmm),
        layouts.decode_token_account(found[state.vault_a], program=IDS.token),
        layouts.decode_token_account(found[state.vault_b], program=IDS.token),
        slot=1,
    )


def arrays_around(pool: Whirlpool, radius: int = 3) -> list[TickArray]:
    """Arrays whose outermost ticks hold one position over the whole window."""
    span = 88 * pool.tick_spacing
    centre = pool.tick_current_index // span * span
    starts = [centre + step * span for step in range(-radius, radius + 1)]
    arrays = [TickArray(start) for start in starts]
    low, high = starts[0], starts[-1]
    arrays[0] = TickArray(low, (Tick(low, pool.liquidity, pool.liquidity),))
    arrays[-1] = TickArray(high, (Tick(high, -pool.liquidity, pool.liquidity),))
    return arrays


def ammv4_accounts(**changes: Any) -> dict[str, RawAccount]:
    """The pool and vault accounts of one AMM v4 pool, by address."""
    vault_a_raw = changes.pop("vault_a_raw", 10_000_000)
    vault_b_raw = changes.pop("vault_b_raw", 2_000_000)
    fields: dict[str, Any] = {
        "address": key("ammv4"),
        "status": 6,
        "nonce": 254,
        "decimals_a": 9,
        "decimals_b": 6,
        "swap_fee_numerator": 25,
        "swap_fee_denominator": 10_000,
        "need_take_pnl_a": 10,
        "need_take_pnl_b": 20,
        "open_time": 0,
        "vault_a": key("ammv4 vault a"),
        "vault_b": key("ammv4 vault b"),
        "mint_a": WSOL,
        "mint_b": USDC,
    }
    state = AmmV4State(**(fields | changes))
    authority = ammv4_authority(IDS)
    made = [
        account(state.address, layouts.encode_ammv4_state(state), IDS.ammv4),
        token_account(state.vault_a, state.mint_a, authority, vault_a_raw),
        token_account(state.vault_b, state.mint_b, authority, vault_b_raw),
    ]
    return {one.address: one for one in made}


def ammv4_pool(**changes: Any) -> AmmV4Pool:
    """The pool those accounts make."""
    found = list(ammv4_accounts(**changes).values())
    state = layouts.decode_ammv4_state(found[0], program=IDS.ammv4)
    vaults = [layouts.decode_token_account(one, program=IDS.token) for one in found[1:]]
    return layouts.assemble_ammv4(state, *vaults, slot=5)
