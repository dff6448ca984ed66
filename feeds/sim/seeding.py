"""What exists in the simulated world: three assets, their pools, our two accounts.

Plain values, the same in every run and for every seed, so that the product's seed
command and the simulator agree without talking. The mints of wrapped SOL and USDC are
the real ones; every other address is derived from a label. Not here: anything that moves
(scenarios, world), bytes (solana_accounts).
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from feeds.market.pools import CpmmPool, Pool, Whirlpool
from feeds.market.spec import MarketSpec
from feeds.market.ticks import tick_from_sqrt_price

WSOL_MINT = "So11111111111111111111111111111111111111112"
USDC_MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SPL_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ATA_PROGRAM = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
SYSTEM_PROGRAM = "11111111111111111111111111111111"
WHIRLPOOL_PROGRAM = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
CPMM_PROGRAM = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
AMMV4_PROGRAM = "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8"
AMMV4_NONCE = 254
JUPITER_PROGRAM = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"

LAMPORTS_PER_SOL = 10**9


class SimCredentials(msgspec.Struct, frozen=True):
    """Keys of the desk's own simulated accounts; worthless anywhere else.

    `wallet_secret` is the 64-byte keypair; `kraken_secret` is base64 as Kraken hands it out.
    """

    kraken_key: str
    kraken_secret: str
    wallet_secret: bytes
    wallet: str


class SimMarket(msgspec.Struct, frozen=True):
    """One asset: its spec, its pool at the opening, and the start price in USD."""

    spec: MarketSpec
    pool: Pool
    start_usd: float
    has_dynamic_arrays: bool = False

    @property
    def vaults(self) -> tuple[str, str]:
        return self.pool.vault_a, self.pool.vault_b


def _seed_of(label: str) -> bytes:
    return hashlib.sha256(f"spreadline simulator: {label}".encode()).digest()


@lru_cache(maxsize=256)
def address_of(label: str) -> str:
    """The address that `label` names in this world."""
    return str(Keypair.from_seed(_seed_of(label)).pubkey())


@lru_cache(maxsize=16)
def _mint_after(label: str, other: str) -> str:
    """A mint that sorts behind `other`: pools keep their two mints in byte order."""
    floor = bytes(Pubkey.from_string(other))
    for turn in range(10_000):
        mint = Pubkey.from_string(address_of(f"{label} {turn}"))
        if bytes(mint) > floor:
            return str(mint)
    raise AssertionError("no address sorts behind the mint")


@lru_cache(maxsize=256)
def pda(program: str, *seeds: bytes) -> str:
    """The program-derived address of `seeds`."""
    return str(Pubkey.find_program_address(list(seeds), Pubkey.from_string(program))[0])


def key_of(address: str) -> bytes:
    """The 32 bytes of an address."""
    return bytes(Pubkey.from_string(address))


def token_account_of(owner: str, mint: str) -> str:
    """The associated token account of a wallet."""
    return pda(ATA_PROGRAM, key_of(owner), key_of(SPL_PROGRAM), key_of(mint))


def tick_array_of(pool: str, start_index: int) -> str:
    """The address of a Whirlpool's tick array."""
    return pda(WHIRLPOOL_PROGRAM, b"tick_array", key_of(pool), str(start_index).encode())


def oracle_of(pool: str) -> str:
    """The oracle address of a Whirlpool; no account lies there on a static-fee pool."""
    return pda(WHIRLPOOL_PROGRAM, b"oracle", key_of(pool))


def cpmm_authority() -> str:
    """The owner of every CPMM vault."""
    return pda(CPMM_PROGRAM, b"vault_and_lp_mint_auth_seed")


def ammv4_authority() -> str:
    """The owner of every AMM v4 vault."""
    return pda(AMMV4_PROGRAM, b"amm authority")


def jupiter_event_authority() -> str:
    """The account every Jupiter route names for its events."""
    return pda(JUPITER_PROGRAM, b"__event_authority")


def simulated_credentials() -> SimCredentials:
    """The desk's API key on the simulated Kraken and its simulated wallet."""
    keypair = Keypair.from_seed(_seed_of("wallet"))
    secret = hashlib.sha512(_seed_of("kraken secret")).digest()
    key = base64.b64encode(hashlib.sha512(_seed_of("kraken key")).digest()[:42]).decode()
    return SimCredentials(
        kraken_key=key,
        kraken_secret=base64.b64encode(secret).decode(),
        wallet_secret=bytes(keypair),
        wallet=str(keypair.pubkey()),
    )


def tip_accounts() -> tuple[str, ...]:
    """Where a transaction's tip goes."""
    return tuple(address_of(f"tip {number}") for number in range(4))


def market_of(asset: str) -> SimMarket:
    """The simulated market of `asset`; KeyError when there is none."""
    return {market.spec.asset: market for market in simulated_markets()}[asset]


@lru_cache(maxsize=1)
def _markets() -> tuple[SimMarket, ...]:
    return (_sol(), _jup(), _wif())


def simulated_markets() -> list[SimMarket]:
    """The three tradable assets: both pool kinds, both orientations, two quote assets."""
    return list(_markets())


# Opening inventory of the desk: balanced, about $50k of each asset on each venue.
KRAKEN_OPENING: dict[str, str] = {
    "USD": "50000",
    "USDT": "50000",
    "USDC": "0",
    "SOL": "333.33333333",
    "JUP": "58823.52941",
    "WIF": "27777.77777",
}
WALLET_OPENING_LAMPORTS = 5 * LAMPORTS_PER_SOL
WALLET_OPENING_USDC_RAW = 100_000 * 10**6
_WALLET_OPENING_USD = 50_000


def wallet_opening() -> dict[str, int]:
    """Raw token balances of the desk's wallet at the opening, by mint."""
    opening = {USDC_MINT: WALLET_OPENING_USDC_RAW}
    for market in simulated_markets():
        units = _WALLET_OPENING_USD / market.start_usd
        opening[market.spec.base_mint] = int(units * 10**market.spec.base_decimals)
    return opening


def decimals_of(mint: str) -> int:
    """Decimals of a mint of this world; KeyError for any other."""
    known = {market.spec.base_mint: market.spec.base_decimals for market in _markets()}
    return (known | {USDC_MINT: 6})[mint]


def sqrt_price_of(price_usd: float, spec: MarketSpec) -> int:
    """Q64.64 root of raw b per raw a for a base price in quote units (floor)."""
    raw = price_usd * 10.0 ** (spec.quote_decimals - spec.base_decimals)
    root = raw**0.5 if spec.base_is_a else raw**-0.5
    return int(root * (1 << 64))


def _sol() -> SimMarket:
    """SOL/USD against a 4 bps Whirlpool with fixed tick arrays; base is token a."""
    spec = MarketSpec(
        asset="SOL",
        cex_symbol="SOL/USD",
        cex_quote="USD",
        price_precision=2,
        qty_precision=8,
        price_increment_ticks=1,
        qty_increment_lots=1,
        qty_min_lots=2_000_000,
        cost_min="0.5",
        pool=address_of("pool SOL"),
        pool_kind="whirlpool",
        pool_quote="USDC",
        base_mint=WSOL_MINT,
        quote_mint=USDC_MINT,
        base_is_a=True,
        base_decimals=9,
        quote_decimals=6,
    )
    return SimMarket(spec, _whirlpool(spec, 150.0, tick_spacing=4, fee_rate=400), 150.0)


def _wif() -> SimMarket:
    """WIF/USDT against a 5 bps Whirlpool with dynamic tick arrays; base is token b."""
    spec = MarketSpec(
        asset="WIF",
        cex_symbol="WIF/USDT",
        cex_quote="USDT",
        price_precision=4,
        qty_precision=5,
        price_increment_ticks=1,
        qty_increment_lots=1,
        qty_min_lots=500_000,
        cost_min="0.5",
        pool=address_of("pool WIF"),
        pool_kind="whirlpool",
        pool_quote="USDC",
        base_mint=_mint_after("mint WIF", USDC_MINT),
        quote_mint=USDC_MINT,
        base_is_a=False,
        base_decimals=6,
        quote_decimals=6,
    )
    pool = _whirlpool(spec, 1.8, tick_spacing=8, fee_rate=500)
    return SimMarket(spec, pool, 1.8, has_dynamic_arrays=True)


def _jup() -> SimMarket:
    """JUP/USD against a 5 bps CPMM pool; base is token b."""
    spec = MarketSpec(
        asset="JUP",
        cex_symbol="JUP/USD",
        cex_quote="USD",
        price_precision=5,
        qty_precision=5,
        price_increment_ticks=1,
        qty_increment_lots=1,
        qty_min_lots=500_000,
        cost_min="0.5",
        pool=address_of("pool JUP"),
        pool_kind="cpmm",
        pool_quote="USDC",
        base_mint=_mint_after("mint JUP", USDC_MINT),
        quote_mint=USDC_MINT,
        base_is_a=False,
        base_decimals=6,
        quote_decimals=6,
    )
    start_usd = 0.85
    quote_raw = CPMM_OPENING_USD * 10**spec.quote_decimals
    base_raw = int(CPMM_OPENING_USD / start_usd * 10**spec.base_decimals)
    pool = CpmmPool(
        address=spec.pool,
        amm_config=address_of("amm config 5 bps"),
        mint_a=spec.quote_mint,
        mint_b=spec.base_mint,
        vault_a=address_of("vault a JUP"),
        vault_b=address_of("vault b JUP"),
        vault_a_raw=quote_raw,
        vault_b_raw=base_raw,
        protocol_fees_a=0,
        protocol_fees_b=0,
        fund_fees_a=0,
        fund_fees_b=0,
        creator_fees_a=0,
        creator_fees_b=0,
        creator_fee_on=0,
        enable_creator_fee=0,
        status=0,
        open_time=0,
        trade_fee_rate=500,
        protocol_fee_rate=120_000,
        fund_fee_rate=40_000,
        observation=pda(CPMM_PROGRAM, b"observation", key_of(spec.pool)),
    )
    return SimMarket(spec, pool, start_usd)


# One side's reserve of the CPMM pool: $12k of flow moves its price by about 10 bps.
CPMM_OPENING_USD = 24_000_000


def _whirlpool(
    spec: MarketSpec, start_usd: float, *, tick_spacing: int, fee_rate: int
) -> Whirlpool:
    """An empty static-fee pool at the start price; positions are opened by the world."""
    base, quote = spec.base_mint, spec.quote_mint
    sqrt_price = sqrt_price_of(start_usd, spec)
    return Whirlpool(
        address=spec.pool,
        mint_a=base if spec.base_is_a else quote,
        mint_b=quote if spec.base_is_a else base,
        vault_a=address_of(f"vault a {spec.asset}"),
        vault_b=address_of(f"vault b {spec.asset}"),
        tick_spacing=tick_spacing,
        fee_tier_index=tick_spacing,
        fee_rate=fee_rate,
        protocol_fee_rate=1300,
        liquidity=0,
        sqrt_price=sqrt_price,
        tick_current_index=tick_from_sqrt_price(sqrt_price),
        fee_growth_global_a=0,
        fee_growth_global_b=0,
        protocol_fee_owed_a=0,
        protocol_fee_owed_b=0,
    )
