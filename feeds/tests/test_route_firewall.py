"""Hostile routes against the signing firewall: whatever an aggregator hands out, only our swap.

The good instruction is the simulated aggregator's; every deviation from it must be refused
by name before anything is signed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from arbsite.clock import seeded_random
from arbsite.errors import NotSent
from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import AmmV4Pool, Pool, Whirlpool
from feeds.sim import seeding
from feeds.sim.jupiter.plans import Form, swap_instruction
from feeds.venues.base import DexSwap, RouteAccount, SwapRoute
from feeds.venues.solana.firewall import Expectation, FirewallLimits, check_message
from feeds.venues.solana.programs import MAINNET, PoolRef, associated_token_address
from feeds.venues.solana.route_firewall import RoutePolicy
from feeds.venues.solana.transactions import swap_message

WALLET = seeding.simulated_credentials().wallet
THIEF = seeding.address_of("thief")
TIP = seeding.tip_accounts()[0]
BLOCKHASH = seeding.address_of("blockhash")
NOW_NS = 10**18
FORMS: list[Form] = ["route", "route_v2"]
AMMV4 = AmmV4Pool(
    seeding.address_of("amm v4"), seeding.WSOL_MINT, seeding.USDC_MINT,
    seeding.address_of("amm v4 vault a"), seeding.address_of("amm v4 vault b"),
    10**12, 10**11, 0, 0, 25, 10_000, 6, 0,
)  # fmt: skip
POOLS: dict[str, Pool] = {
    "whirlpool": seeding.market_of("SOL").pool,
    "cpmm": seeding.market_of("JUP").pool,
    "ammv4": AMMV4,
}
MINTS = frozenset(
    {seeding.USDC_MINT, seeding.WSOL_MINT, *(m.spec.base_mint for m in seeding.simulated_markets())}
)


def ask(kind: str = "whirlpool", form: Form = "route_v2", **changes: Any) -> DexSwap:
    """A leg whose route the aggregator has built honestly."""
    pool = POOLS[kind]
    made = swap_instruction(
        form, pool, WALLET, a_to_b=True, amount_in=1_000_000, quoted_out=71_000, slippage_bps=50
    )
    accounts = tuple(
        RouteAccount(meta.pubkey, meta.is_signer, meta.is_writable) for meta in made.accounts
    )
    starts = arrays_for_swap(pool, True) if isinstance(pool, Whirlpool) else ()
    swap = DexSwap(
        pool=pool.address,
        pool_kind=kind,  # type: ignore[arg-type]
        a_to_b=True,
        exact_in=True,
        amount_raw=1_000_000,
        threshold_raw=70_000,
        tick_array_starts=starts,
        cu_price_micro_lamports=10_000,
        tip_lamports=20_000,
        route=SwapRoute("plan", made.program_id, accounts, made.data, NOW_NS - 10**8),
    )
    return msgspec.structs.replace(swap, **changes)


def policy(**changes: Any) -> RoutePolicy:
    return RoutePolicy(dexes=frozenset({"whirlpool", "cpmm", "ammv4"}), **changes)


def expectation(swap: DexSwap, **changes: Any) -> Expectation:
    want = Expectation(
        swap=swap,
        ref=PoolRef.from_pool(POOLS[swap.pool_kind]),
        wallet=WALLET,
        mints=MINTS,
        tip_accounts=frozenset({TIP}),
        blockhash=BLOCKHASH,
        limits=FirewallLimits(),
        ids=MAINNET,
        routes=policy(),
        now_ns=NOW_NS,
    )
    return msgspec.structs.replace(want, **changes)


def built(swap: DexSwap) -> bytes:
    ref = PoolRef.from_pool(POOLS[swap.pool_kind])
    message = swap_message(
        swap, ref, wallet=WALLET, blockhash=BLOCKHASH, tip_account=TIP, ids=MAINNET
    )
    return to_bytes_versioned(message)


def with_route(swap: DexSwap, **changes: Any) -> DexSwap:
    assert swap.route is not None
    return msgspec.structs.replace(swap, route=msgspec.structs.replace(swap.route, **changes))


def route_of(swap: DexSwap) -> SwapRoute:
    assert swap.route is not None
    return swap.route


def refused(swap: DexSwap, reason: str = "", **changes: Any) -> None:
    """Both the built message and the reason by name."""
    with pytest.raises(NotSent, match=f"firewall: .*{reason}"):
        check_message(built(swap), expectation(swap, **changes))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", POOLS)
def test_an_honest_route_passes(kind: str, form: Form) -> None:
    swap = ask(kind, form)
    check_message(built(swap), expectation(swap))
    check_message(built(swap), expectation(swap, routes=policy(is_pinned=False)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("by", [THIEF, WALLET, "other own account"])
def test_every_swapped_account_is_refused(kind: str, form: Form, by: str) -> None:
    swap = ask(kind, form)
    if by == "other own account":
        spare = next(iter(MINTS - {POOLS[kind].mint_a, POOLS[kind].mint_b}))
        by = associated_token_address(WALLET, spare)
    accounts = route_of(swap).accounts
    for place, account in enumerate(accounts):
        if account.address == by:
            continue
        changed = list(accounts)
        changed[place] = msgspec.structs.replace(account, address=by)
        bad = with_route(swap, accounts=tuple(changed))
        is_tolerable = by == WALLET and is_spare_place(accounts, place, form)
        if not is_tolerable:
            refused(bad)


def is_spare_place(accounts: tuple[RouteAccount, ...], place: int, form: Form) -> bool:
    """A hop's place where naming the wallet only breaks the swap: it has no money to lose there.

    The wallet is a lawful member of a hop (it signs), so a second mention in the place of a
    read-only program or of an account not needed for pinning cannot be told from it.
    """
    return place >= (9 if form == "route" else 10) and accounts[place].address != WALLET


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", POOLS)
def test_every_changed_data_byte_is_refused_or_changes_nothing_for_us(
    kind: str, form: Form
) -> None:
    swap = ask(kind, form, threshold_raw=71_000 * 9_950 // 10_000)
    data = route_of(swap).data
    harmless = harmless_bytes(form, data)
    for place in range(len(data)):
        for flip in (0x01, 0x41, 0x80):
            changed = bytearray(data)
            changed[place] ^= flip
            bad = with_route(swap, data=bytes(changed))
            try:
                check_message(built(bad), expectation(bad))
            except NotSent:
                continue
            assert place in harmless, (place, flip)


def harmless_bytes(form: Form, data: bytes) -> set[int]:
    """A higher promise or a lower slippage only raises the least output we get."""
    at = 16 if form == "route_v2" else len(data) - 11
    return {*range(at, at + 10)}


def with_tail(kind: str, tail: bytes) -> DexSwap:
    swap = ask(kind, "route")
    return with_route(swap, data=route_of(swap).data + tail)


def test_arguments_hidden_before_a_pleasant_tail_are_found() -> None:
    """The program would execute what comes first and ignore the honest figures behind it."""
    for kind in POOLS:
        honest = route_of(ask(kind, "route")).data
        greedy = honest[:-19] + struct.pack("<QQHB", 2**63, 1, 10_000, 0)
        refused(with_route(ask(kind, "route"), data=greedy + honest[-19:]), "after the route")
        refused(with_tail(kind, b"\0"), "after the route")


def resized(swap: DexSwap, hops: bytes) -> DexSwap:
    """The v2 form with another plan."""
    return with_route(swap, data=route_of(swap).data[:30] + hops)


HOP = bytes((47, 1, 0)) + struct.pack("<HBB", 10_000, 0, 1)
PLANS: dict[str, tuple[bytes, str]] = {
    "no hop": (struct.pack("<I", 0), "0 hops"),
    "two hops": (struct.pack("<I", 2) + HOP * 2, "2 hops"),
    "nine hops": (struct.pack("<I", 9) + HOP * 9, "9 hops"),
    "huge count": (struct.pack("<I", 2**32 - 1), "hops"),
    "half the input": (
        struct.pack("<I", 1) + bytes((47, 1, 0)) + struct.pack("<HBB", 5_000, 0, 1), "part of",
    ),
    "leads elsewhere": (
        struct.pack("<I", 1) + bytes((47, 1, 0)) + struct.pack("<HBB", 10_000, 0, 7), "elsewhere",
    ),
    "other direction": (
        struct.pack("<I", 1) + bytes((47, 0, 0)) + struct.pack("<HBB", 10_000, 0, 1), "direction",
    ),
    "unknown swap": (
        struct.pack("<I", 1) + bytes((99,)) + struct.pack("<HBB", 10_000, 0, 1), "swap kind 99",
    ),
    "another exchange": (
        struct.pack("<I", 1) + bytes((46,)) + struct.pack("<HBB", 10_000, 0, 1), "through cpmm",
    ),
    "extra accounts": (
        struct.pack("<I", 1) + bytes((47, 1, 1)) + struct.pack("<HBB", 10_000, 0, 1), "extra",
    ),
    "cut short": (struct.pack("<I", 1) + HOP[:-1], "ends early"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_another_plan_is_refused(name: str) -> None:
    hops, reason = PLANS[name]
    refused(resized(ask(), hops), reason)


def head(**changes: int) -> bytes:
    terms = {"amount": 1_000_000, "out": 71_000, "slippage": 50, "fee": 0, "surplus": 0} | changes
    return struct.pack("<QQHHH", *terms.values())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1_000_001}, "amount 1000001"),
        ({"amount": 999_999}, "amount 999999"),
        ({"out": 70_000}, "least output 69650"),
        ({"slippage": 101}, "slippage 101"),
        ({"slippage": 10_001}, "slippage"),
        ({"slippage": 99, "out": 70_600}, "least output"),
        ({"fee": 1}, "platform fee 1"),
        ({"surplus": 1}, "1 bps of a better price"),
    ],
)
def test_other_terms_are_refused(changes: dict[str, int], reason: str) -> None:
    swap = ask()
    data = route_of(swap).data
    refused(with_route(swap, data=data[:8] + head(**changes) + data[30:]), reason)


def pay(target: str, lamports: int) -> Instruction:
    wallet, other = Pubkey.from_string(WALLET), Pubkey.from_string(target)
    return transfer(TransferParams(from_pubkey=wallet, to_pubkey=other, lamports=lamports))


def parts(swap: DexSwap) -> list[Instruction]:
    route = route_of(swap)
    metas = [
        AccountMeta(Pubkey.from_string(one.address), one.is_signer, one.is_writable)
        for one in route.accounts
    ]
    return [
        set_compute_unit_limit(swap.cu_limit),
        set_compute_unit_price(swap.cu_price_micro_lamports),
        Instruction(Pubkey.from_string(route.program), route.data, metas),
        pay(TIP, swap.tip_lamports),
    ]


def compiled(
    *instructions: Instruction, tables: tuple[AddressLookupTableAccount, ...] = ()
) -> bytes:
    message = MessageV0.try_compile(
        Pubkey.from_string(WALLET), list(instructions), list(tables), Hash.from_string(BLOCKHASH)
    )
    return to_bytes_versioned(message)


def table_of(swap: DexSwap) -> AddressLookupTableAccount:
    keys = [Pubkey.from_string(one.address) for one in route_of(swap).accounts]
    return AddressLookupTableAccount(Pubkey.from_string(THIEF), keys)


def approve() -> Instruction:
    """SPL approve: from then on the thief may move our dollars."""
    own = Pubkey.from_string(associated_token_address(WALLET, seeding.USDC_MINT))
    metas = [
        AccountMeta(own, is_signer=False, is_writable=True),
        AccountMeta(Pubkey.from_string(THIEF), is_signer=False, is_writable=False),
        AccountMeta(Pubkey.from_string(WALLET), is_signer=True, is_writable=False),
    ]
    data = b"\x04" + struct.pack("<Q", 2**64 - 1)
    return Instruction(Pubkey.from_string(MAINNET.token), data, metas)


HOSTILE: dict[str, tuple[Callable[[DexSwap], bytes], str]] = {
    "address table": (lambda s: compiled(*parts(s), tables=(table_of(s),)), "address tables"),
    "extra transfer": (lambda s: compiled(*parts(s), pay(THIEF, 1)), "not the tip"),
    "tip to another": (lambda s: compiled(*parts(s)[:3], pay(THIEF, s.tip_lamports)), "tip to"),
    "approve": (lambda s: compiled(*parts(s), approve()), "not allowed"),
    "swapped twice": (lambda s: compiled(*parts(s), parts(s)[2]), "repeated"),
    "more compute": (
        lambda s: compiled(set_compute_unit_limit(1_400_000), *parts(s)[1:]), "compute limit",
    ),
    "more priority": (
        lambda s: compiled(parts(s)[0], set_compute_unit_price(10**9), *parts(s)[2:]), "price",
    ),
    "unknown program": (
        lambda s: compiled(
            *parts(s)[:2],
            Instruction(Pubkey.from_string(THIEF), parts(s)[2].data, list(parts(s)[2].accounts)),
            parts(s)[3],
        ),
        "not allowed",
    ),
    "direct swap beside it": (
        lambda s: compiled(*parts(s), direct(s)), "not allowed",
    ),
}  # fmt: skip


def direct(swap: DexSwap) -> Instruction:
    plain = msgspec.structs.replace(swap, route=None, tick_array_starts=swap.tick_array_starts[:3])
    message = swap_message(
        plain, PoolRef.from_pool(POOLS[swap.pool_kind]), wallet=WALLET, blockhash=BLOCKHASH,
        tip_account=TIP, ids=MAINNET,
    )  # fmt: skip
    found = message.instructions[2]
    keys = message.account_keys
    metas = [
        AccountMeta(keys[at], is_signer=str(keys[at]) == WALLET, is_writable=True)
        for at in found.accounts
    ]
    return Instruction(keys[found.program_id_index], bytes(found.data), metas)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_refused(name: str) -> None:
    make, reason = HOSTILE[name]
    swap = ask()
    with pytest.raises(NotSent, match=f"firewall: .*{reason}"):
        check_message(make(swap), expectation(swap))


def test_a_route_instruction_passes_only_where_a_route_was_asked_for() -> None:
    swap = ask()
    plain = msgspec.structs.replace(swap, route=None)
    with pytest.raises(NotSent, match="not allowed"):
        check_message(built(swap), expectation(plain))
    with pytest.raises(NotSent, match="not allowed"):
        check_message(built(plain), expectation(swap))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"routes": RoutePolicy()}, "routes are not allowed"),
        ({"routes": RoutePolicy(dexes=frozenset({"cpmm"}))}, "through whirlpool"),
        ({"now_ns": NOW_NS + 1_401_000_000}, "ms old"),
        ({"now_ns": NOW_NS - 10**9}, "ms old"),
    ],
)
def test_the_policy_is_kept(changes: dict[str, Any], reason: str) -> None:
    refused(ask(), reason, **changes)


def test_an_exact_output_cannot_be_routed() -> None:
    refused(ask(exact_in=False), "exact output")


def test_another_signer_or_a_foreign_writable_account_is_refused() -> None:
    swap = ask()
    thief = RouteAccount(THIEF, is_signer=False, is_writable=True)
    refused(with_route(swap, accounts=(*route_of(swap).accounts, thief)), "has no role")
    second = RouteAccount(THIEF, is_signer=True, is_writable=False)
    refused(with_route(swap, accounts=(*route_of(swap).accounts, second)), "another signer")


def test_an_unpinned_route_may_use_another_pool_but_no_other_account_of_ours() -> None:
    other = msgspec.structs.replace(AMMV4, address=seeding.address_of("amm v4 two"))
    swap = ask("ammv4")
    made = swap_instruction(
        "route_v2", other, WALLET, a_to_b=True, amount_in=1_000_000, quoted_out=71_000,
        slippage_bps=50,
    )  # fmt: skip
    accounts = tuple(RouteAccount(m.pubkey, m.is_signer, m.is_writable) for m in made.accounts)
    moved = with_route(swap, accounts=accounts)
    refused(moved, "has no role")
    loose = policy(is_pinned=False)
    check_message(built(moved), expectation(moved, routes=loose))
    spare = next(iter(MINTS - {AMMV4.mint_a, AMMV4.mint_b}))
    own = RouteAccount(associated_token_address(WALLET, spare), is_signer=False, is_writable=True)
    refused(with_route(moved, accounts=(*accounts, own)), "own account", routes=loose)
    program = RouteAccount(THIEF, is_signer=False, is_writable=False)
    refused(with_route(moved, accounts=(*accounts, program)), "has no role", routes=loose)
    verified = policy(is_pinned=False, accounts=frozenset({THIEF}))
    extra = with_route(moved, accounts=(*accounts, program))
    check_message(built(extra), expectation(extra, routes=verified))


def test_mutated_messages_never_pass_unless_they_cost_us_nothing() -> None:
    """Random bytes anywhere in the message: what still passes must be our swap, to the account."""
    swap = ask()
    raw = built(swap)
    want = expectation(swap)
    rng = seeded_random("routes")
    start = raw.index(route_of(swap).data)
    promise = range(start + 16, start + 26)
    for _ in range(4_000):
        data = bytearray(raw)
        changed = {rng.randrange(len(data)) for _ in range(rng.randint(1, 3))}
        for place in changed:
            data[place] = rng.randrange(256)
        if bytes(data) == raw:
            continue
        try:
            check_message(bytes(data), want)
        except NotSent:
            continue
        differs = {place for place in changed if data[place] != raw[place]}
        assert differs <= set(promise) or only_hop_order(raw, data, start), differs


def only_hop_order(raw: bytes, data: bytearray, start: int) -> bool:
    """Whether only the hop's account indexes changed: known accounts in another order.

    The exchange's own program refuses them; the checked terms are the same.
    """
    fixed = start - 2 - 26  # before the data: its length, and the instruction's account indexes
    return raw[:fixed] == data[:fixed] and raw[start:] == data[start:]
