"""What everybody else does on the simulated chain: swaps without a wallet, and liquidity.

Competitors, noise and liquidity providers act on the accounts directly, with the same
exact math and token movements as a transaction; they need no signature and owe no one a
record. Also builds the accounts the chain opens with. Not here: who acts, and when.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from feeds.market import clmm, cpmm
from feeds.market.pools import AmmV4Pool, CpmmPool, QuoteRefused, Swap, TickArray, Whirlpool
from feeds.market.quote import quote
from feeds.market.ticks import Tick, array_start_of, sqrt_price_from_tick
from feeds.sim import seeding
from feeds.sim.seeding import SimMarket
from feeds.sim.solana.accounts import (
    Array,
    Config,
    Ledger,
    Mint,
    Opaque,
    State,
    Token,
    Wallet,
)

FLOW = seeding.address_of("flow")
"""Owns the token accounts that competitors and noise trade from."""
PROVIDERS = seeding.address_of("liquidity providers")

_FLOW_RAW = 10**18
_PROGRAM_SIZE = 36
_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
_OBSERVATION_SIZE = 4_075
_DUST = 1_000  # units a vault holds beyond its positions: rounding never empties it


class Position(msgspec.Struct, frozen=True):
    """Liquidity between two ticks of a Whirlpool."""

    pool: str
    lower: int
    upper: int
    liquidity: int


def swap_as_flow(
    accounts: Ledger,
    pool_address: str,
    amount: int,
    *,
    exact_in: bool,
    a_to_b: bool,
    now_s: int,
    sqrt_price_limit: int = 0,
) -> Swap | QuoteRefused:
    """Swap from the flow's own tokens; nothing changes when it is refused.

    `sqrt_price_limit` (Whirlpool only) ends the swap at a price, whatever the amount.
    """
    pool = accounts.pool(pool_address)
    if isinstance(pool, Whirlpool):
        found = clmm.swap(
            pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s,
            sqrt_price_limit=sqrt_price_limit,
        )  # fmt: skip
    else:
        found = quote(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s)
    if isinstance(found, QuoteRefused):
        return found
    mint_in, mint_out = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
    vault_in, vault_out = (pool.vault_a, pool.vault_b) if a_to_b else (pool.vault_b, pool.vault_a)
    source = seeding.token_account_of(FLOW, mint_in)
    accounts.move_token(source, vault_in, found.amount_in)
    accounts.move_token(vault_out, seeding.token_account_of(FLOW, mint_out), found.amount_out)
    accounts.put_pool(found.after)
    return found


def position_amounts(
    pool: Whirlpool, position: Position, *, is_rounded_up: bool
) -> tuple[int, int]:
    """Raw a and b that a position stands for at the pool's price."""
    low, high = sqrt_price_from_tick(position.lower), sqrt_price_from_tick(position.upper)
    here = min(max(pool.sqrt_price, low), high)
    liquidity = position.liquidity
    top_a, bottom_a = (liquidity * (high - here)) << 64, high * here
    top_b, bottom_b = liquidity * (here - low), 1 << 64
    if is_rounded_up:
        return -(-top_a // bottom_a), -(-top_b // bottom_b)
    return top_a // bottom_a, top_b // bottom_b


def change_liquidity(
    accounts: Ledger, position: Position, *, is_added: bool, is_dynamic: bool
) -> bool:
    """Add or remove a whole position; False when a side has not the tokens for it."""
    pool = accounts.pool(position.pool)
    assert isinstance(pool, Whirlpool)
    raw_a, raw_b = position_amounts(pool, position, is_rounded_up=is_added)
    for mint, vault, raw in (
        (pool.mint_a, pool.vault_a, raw_a),
        (pool.mint_b, pool.vault_b, raw_b),
    ):
        own = seeding.token_account_of(PROVIDERS, mint)
        source = own if is_added else vault
        if accounts.raw(source) < raw:
            return False
    for mint, vault, raw in (
        (pool.mint_a, pool.vault_a, raw_a),
        (pool.mint_b, pool.vault_b, raw_b),
    ):
        own = seeding.token_account_of(PROVIDERS, mint)
        accounts.move_token(own if is_added else vault, vault if is_added else own, raw)
    delta = position.liquidity if is_added else -position.liquidity
    _change_tick(accounts, pool, position.lower, delta, delta, is_dynamic)
    _change_tick(accounts, pool, position.upper, -delta, delta, is_dynamic)
    if position.lower <= pool.tick_current_index < position.upper:
        pool = msgspec.structs.replace(pool, liquidity=pool.liquidity + delta)
        accounts.put_pool(pool)
    return True


def _change_tick(
    accounts: Ledger, pool: Whirlpool, index: int, net: int, gross: int, is_dynamic: bool
) -> None:
    start = array_start_of(index, pool.tick_spacing)
    array = accounts.array(pool.address, start)
    ticks = {tick.index: tick for tick in array.ticks}
    old = ticks.pop(index, Tick(index, 0, 0))
    new = Tick(index, old.liquidity_net + net, old.liquidity_gross + gross)
    if new.liquidity_gross:
        ticks[index] = new
    changed = TickArray(start, tuple(ticks[key] for key in sorted(ticks)))
    accounts.put(
        seeding.tick_array_of(pool.address, start),
        Array(pool.address, pool.tick_spacing, is_dynamic, changed),
    )


def scale_reserves(accounts: Ledger, pool_address: str, ppm: int) -> bool:
    """Add (ppm > 0) or remove both reserves of a CPMM pool in proportion, price kept.

    False when a side has not the tokens for it.
    """
    pool = accounts.pool(pool_address)
    assert isinstance(pool, CpmmPool)
    moves = []
    for mint, vault, held in (
        (pool.mint_a, pool.vault_a, cpmm.reserves(pool)[0]),
        (pool.mint_b, pool.vault_b, cpmm.reserves(pool)[1]),
    ):
        raw = held * abs(ppm) // 1_000_000
        own = seeding.token_account_of(PROVIDERS, mint)
        source, target = (own, vault) if ppm > 0 else (vault, own)
        if accounts.raw(source) < raw:
            return False
        moves.append((source, target, raw))
    for source, target, raw in moves:
        accounts.move_token(source, target, raw)
    return True


def opening_accounts(
    markets: list[SimMarket], positions: list[Position], wallets: Mapping[str, int]
) -> dict[str, State]:
    """Every account of the first slot: mints, pools with their liquidity, wallets, flow.

    `wallets` maps an address to its native lamports; each gets the opening tokens too.
    """
    accounts = Ledger()
    mints = sorted({market.spec.base_mint for market in markets} | {seeding.USDC_MINT})
    _open_wallets(accounts, mints, wallets)
    for program in (seeding.WHIRLPOOL_PROGRAM, seeding.CPMM_PROGRAM, seeding.SPL_PROGRAM):
        accounts.put(program, Opaque(_LOADER, _PROGRAM_SIZE, is_executable=True))
    for market in markets:
        _open_pool(accounts, market)
    dynamic = {market.spec.pool for market in markets if market.has_dynamic_arrays}
    for position in positions:
        is_dynamic = position.pool in dynamic
        if not change_liquidity(accounts, position, is_added=True, is_dynamic=is_dynamic):
            raise AssertionError("the providers' opening tokens do not suffice")
    supply = dict.fromkeys(mints, 0)
    for state in accounts.written.values():
        if isinstance(state, Token):
            supply[state.mint] += state.raw
    for mint, raw in supply.items():
        accounts.put(mint, Mint(seeding.decimals_of(mint), raw))
    return accounts.written


def _open_wallets(accounts: Ledger, mints: list[str], wallets: Mapping[str, int]) -> None:
    for mint in mints:
        for owner in (FLOW, PROVIDERS):
            accounts.put(seeding.token_account_of(owner, mint), Token(mint, owner, _FLOW_RAW))
        for wallet in wallets:
            raw = seeding.wallet_opening()[mint]
            accounts.put(seeding.token_account_of(wallet, mint), Token(mint, wallet, raw))
    for wallet, lamports in wallets.items():
        accounts.put(wallet, Wallet(lamports))
    for tip in seeding.tip_accounts():
        accounts.put(tip, Wallet(seeding.LAMPORTS_PER_SOL))


def _open_pool(accounts: Ledger, market: SimMarket) -> None:
    pool = market.pool
    if isinstance(pool, CpmmPool):
        owner = seeding.cpmm_authority()
        raws = pool.vault_a_raw, pool.vault_b_raw
        rates = Config(pool.trade_fee_rate, pool.protocol_fee_rate, pool.fund_fee_rate)
        accounts.put(pool.amm_config, rates)
        accounts.put(pool.observation, Opaque(seeding.CPMM_PROGRAM, _OBSERVATION_SIZE))
    elif isinstance(pool, AmmV4Pool):
        owner = seeding.ammv4_authority()
        raws = pool.vault_a_raw, pool.vault_b_raw
    else:
        owner, raws = pool.address, (_DUST, _DUST)
    accounts.put(pool.vault_a, Token(pool.mint_a, owner, raws[0]))
    accounts.put(pool.vault_b, Token(pool.mint_b, owner, raws[1]))
    accounts.put_pool(pool)


def band(pool: Whirlpool, width_bps: float, liquidity: int, *, shift_bps: float = 0) -> Position:
    """A position `width_bps` wide around the pool's tick (a tick is one basis point)."""
    spacing = pool.tick_spacing
    middle = pool.tick_current_index + shift_bps
    lower = int((middle - width_bps / 2) // spacing) * spacing
    upper = int((middle + width_bps / 2) // spacing + 1) * spacing
    return Position(pool.address, lower, max(upper, lower + spacing), liquidity)
