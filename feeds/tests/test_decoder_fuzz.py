"""100,000 mutated accounts and answers over every Solana-side decoder: only named errors.

Seeds are good accounts and answers; a mutation flips bytes, cuts, stretches, splices in
extreme integers, or swaps the owner. A decoder may accept what it gets or raise
`FeedCorrupt`; any other exception would take a feed down. Values decoded from the same
bytes twice are equal, and quoting whatever was decoded only refuses by name.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from arbsite.clock import seeded_random
from arbsite.errors import FeedCorrupt
from feeds.market.pools import AdaptiveFee, Pool, QuoteRefused, Swap, TickArray
from feeds.market.quote import quote
from feeds.sim import seeding
from feeds.sim.jupiter.plans import swap_instruction
from feeds.sim.seeding import WSOL_MINT
from feeds.sim.solana.accounts import Mint, encode
from feeds.venues.jupiter import wire
from feeds.venues.solana import layouts
from feeds.venues.solana.jupiter_layouts import decode_route, head_of
from feeds.venues.solana.layouts import RawAccount
from feeds.venues.solana.mints import TOKEN_2022, MintFacts, mint_facts
from feeds.venues.solana.pool_accounts import accounts_of
from feeds.venues.solana.pool_view import parts_of
from feeds.venues.solana.programs import tick_array_address
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, key

ROUNDS = 100_000
_EXTREMES = [0, 1, 0x7F, 0x80, 0xFF]

Decoder = Callable[[RawAccount], Any]


def mutated(data: bytes, rng: Random) -> bytes:
    """One to a few changes of one kind."""
    kind = rng.random()
    if kind < 0.1:
        return data[: rng.randrange(len(data) + 1)]
    if kind < 0.15:
        return data + rng.randbytes(rng.randint(1, 200))
    out = bytearray(data)
    if kind < 0.5:
        width = rng.choice((1, 2, 4, 8, 16))
        at = rng.randrange(len(out))
        out[at : at + width] = bytes([rng.choice(_EXTREMES)]) * min(width, len(out) - at)
    elif kind < 0.6:
        at, source = rng.randrange(len(out)), rng.randrange(len(out))
        piece = out[source : source + 32]
        out[at : at + len(piece)] = piece
    else:
        for _ in range(rng.randint(1, 4)):
            out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def account_seeds() -> dict[str, tuple[RawAccount, Decoder]]:
    """A good account of every kind with the call that decodes it."""
    pool = builders.whirlpool()
    arrays = builders.arrays_around(pool)
    fixed = builders.whirlpool_accounts(pool, arrays)
    dynamic = builders.whirlpool_accounts(pool, arrays, dynamic=True)
    start = tick_array_address(pool.address, arrays[0].start_index, IDS)
    fee = AdaptiveFee(30, 600, 5_000, 4_000, 350_000, 64, 64, trade_enable_timestamp=5)
    oracle = RawAccount(
        key("oracle"), IDS.whirlpool, 1, layouts.encode_oracle(fee, whirlpool=pool.address)
    )
    cpmm, ammv4 = builders.cpmm_accounts(), builders.ammv4_accounts()

    mint = encode(WSOL_MINT, Mint(9, 10**15)).data
    hooked = mint.ljust(165, b"\0") + b"\1" + bytes.fromhex("0e004000") + bytes(64)

    def facts(account: RawAccount) -> MintFacts:
        return mint_facts(account, token_program=IDS.token)

    def array(account: RawAccount) -> TickArray:
        return layouts.decode_tick_array(
            account, program=IDS.whirlpool, whirlpool=pool.address, tick_spacing=pool.tick_spacing
        )

    return {
        "whirlpool": (
            fixed[pool.address], lambda a: layouts.decode_whirlpool(a, program=IDS.whirlpool),
        ),
        "fixed array": (fixed[start], array),
        "dynamic array": (dynamic[start], array),
        "mint": (RawAccount(WSOL_MINT, IDS.token, 1, mint), facts),
        "hooked mint": (RawAccount(key("mint"), TOKEN_2022, 1, hooked), facts),
        "oracle": (
            oracle,
            lambda a: layouts.decode_oracle(a, program=IDS.whirlpool, whirlpool=pool.address),
        ),
        "cpmm": (
            cpmm[key("cpmm")], lambda a: layouts.decode_cpmm_state(a, program=IDS.cpmm),
        ),
        "amm config": (
            cpmm[key("amm config")], lambda a: layouts.decode_amm_config(a, program=IDS.cpmm),
        ),
        "amm v4": (
            ammv4[key("ammv4")], lambda a: layouts.decode_ammv4_state(a, program=IDS.ammv4),
        ),
        "token account": (
            cpmm[key("cpmm vault a")], lambda a: layouts.decode_token_account(a, program=IDS.token),
        ),
    }  # fmt: skip


def test_mutated_accounts_raise_only_feed_corrupt() -> None:
    seeds = list(account_seeds().values())
    for account, decode in seeds:
        assert decode(account) is not None
    rng = seeded_random("account fuzz")
    accepted = 0
    for turn in range(ROUNDS):
        account, decode = seeds[turn % len(seeds)]
        owner = account.owner if rng.random() > 0.02 else builders.SYSTEM
        bad = RawAccount(account.address, owner, 0, mutated(account.data, rng))
        try:
            decode(bad)
        except FeedCorrupt:
            continue
        accepted += 1
    # Neither does the mutation only make rubbish, nor do the decoders swallow everything.
    assert ROUNDS // 20 < accepted < ROUNDS * 4 // 5


def jupiter_seeds() -> list[tuple[bytes, Callable[[bytes], Any]]]:
    """Good answers of both API shapes and good instruction data."""
    market = seeding.market_of("SOL")
    wallet = seeding.simulated_credentials().wallet
    made = [
        swap_instruction(
            form, market.pool, wallet, a_to_b=True, amount_in=10**9, quoted_out=10**8,
            slippage_bps=50,
        )
        for form in ("route", "route_v2")
    ]  # fmt: skip
    spec = market.spec
    hop = {
        "ammKey": spec.pool, "label": "Whirlpool", "inputMint": spec.base_mint,
        "outputMint": spec.quote_mint, "inAmount": "1", "outAmount": "1",
    }  # fmt: skip
    answer = {
        "inputMint": spec.base_mint, "outputMint": spec.quote_mint, "inAmount": "1000000000",
        "outAmount": "100000000", "otherAmountThreshold": "99500000", "swapMode": "ExactIn",
        "slippageBps": 50, "platformFee": None, "contextSlot": 5,
        "routePlan": [{"swapInfo": hop, "percent": 100, "bps": 10_000}],
        "swapInstruction": {
            "programId": made[1].program_id,
            "accounts": [msgspec.to_builtins(meta) for meta in made[1].accounts],
            "data": base64.b64encode(made[1].data).decode(),
        },
        "setupInstructions": [], "otherInstructions": [], "cleanupInstruction": None,
        "blockhashWithMetadata": {"blockhash": [1] * 32, "lastValidBlockHeight": 9},
    }  # fmt: skip
    body = msgspec.json.encode(answer)

    def quoted(raw: bytes) -> object:
        found = wire.decode_quote(raw)
        return wire.route_id(found.route_plan)

    def instructed(raw: bytes) -> object:
        found = wire.decode(raw, wire.WireInstructions).swap_instruction
        return found.route_accounts(), found.raw_data()

    def carried(raw: bytes) -> object:
        call = decode_route(raw)
        return head_of(call.form, [meta.pubkey for meta in made[1].accounts]), call.min_out

    return [
        (body, quoted),
        (body, instructed),
        (body, lambda raw: wire.decode(raw, wire.WireBuild)),
        (made[0].data, carried),
        (made[1].data, carried),
    ]


def test_mutated_jupiter_answers_raise_only_feed_corrupt() -> None:
    seeds = jupiter_seeds()
    for good, decode in seeds:
        assert decode(good) is not None
    rng = seeded_random("jupiter fuzz")
    accepted = 0
    for turn in range(ROUNDS // 2):
        good, decode = seeds[turn % len(seeds)]
        try:
            decode(mutated(good, rng))
        except FeedCorrupt:
            continue
        accepted += 1
    assert ROUNDS // 400 < accepted < ROUNDS // 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b"{" * 100_000, b"[" * 100_000,
        b'{"routePlan":' + b"[" * 50_000, b"1" * 100_000, b'{"inAmount": 1e400}',
    ],
    ids=range(10),
)  # fmt: skip
def test_bodies_that_are_no_answer_are_corrupt(body: bytes) -> None:
    for kind in (wire.WireQuote, wire.WireInstructions):
        with pytest.raises(FeedCorrupt):
            wire.decode(body, kind)


def test_pools_made_of_mutated_accounts_quote_or_refuse_by_name() -> None:
    """Numbers nobody has seen before must not break the math either."""
    sets = {"cpmm": builders.cpmm_accounts(), "ammv4": builders.ammv4_accounts()}
    rng = seeded_random("pool fuzz")
    quoted = 0
    for turn in range(2_000):
        kind, found = list(sets.items())[turn % 2]
        spoiled = dict(found)
        address = rng.choice(list(spoiled))
        one = spoiled[address]
        spoiled[address] = RawAccount(one.address, one.owner, 0, mutated(one.data, rng))
        try:
            accounts = accounts_of(kind, key(kind), spoiled[key(kind)], IDS)  # type: ignore[arg-type]
            pool: Pool = accounts.assemble(parts_of(accounts, spoiled), slot=1)
        except (FeedCorrupt, KeyError):  # KeyError: the mutated pool names other accounts
            continue
        for exact_in in (True, False):
            swap = quote(pool, rng.getrandbits(rng.randint(1, 64)), exact_in=exact_in, a_to_b=True)
            assert isinstance(swap, Swap | QuoteRefused)
            quoted += 1
    assert quoted > 500
