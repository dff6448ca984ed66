"""The signing firewall against led-astray builders: swapped accounts, extra instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token.instructions import approve
from spl.token.models import ApproveParams

from arbsite.clock import seeded_random
from arbsite.errors import NotSent
from feeds.venues.base import DexSwap
from feeds.venues.solana.firewall import Expectation, FirewallLimits, check_message
from feeds.venues.solana.programs import (
    PoolRef,
    ammv4_swap,
    associated_token_address,
    cpmm_swap,
    swap_v2,
)
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, USDC, WSOL, key
from feeds.venues.solana.transactions import max_fee_lamports, swap_message

WALLET = key("wallet")
THIEF = key("thief")
TIP = key("tip account")
BLOCKHASH = key("blockhash")
KINDS = ["whirlpool", "cpmm", "ammv4"]
STARTS = (-26400, -26752, -27104)


def ask(kind: str = "whirlpool", **changes: Any) -> DexSwap:
    swap = DexSwap(
        pool=key(kind),
        pool_kind=kind,  # type: ignore[arg-type]
        a_to_b=True,
        exact_in=True,
        amount_raw=1_000_000,
        threshold_raw=70_000,
        tick_array_starts=STARTS if kind == "whirlpool" else (),
        cu_price_micro_lamports=10_000,
        tip_lamports=20_000,
    )
    return msgspec.structs.replace(swap, **changes)


def ref_of(kind: str = "whirlpool") -> PoolRef:
    made = {
        "whirlpool": builders.whirlpool,
        "cpmm": builders.cpmm_pool,
        "ammv4": builders.ammv4_pool,
    }
    return PoolRef.from_pool(made[kind]())


def expectation(swap: DexSwap, **changes: Any) -> Expectation:
    want = Expectation(
        swap=swap,
        ref=ref_of(swap.pool_kind),
        wallet=WALLET,
        mints=frozenset({WSOL, USDC}),
        tip_accounts=frozenset({TIP}),
        blockhash=BLOCKHASH,
        limits=FirewallLimits(),
        ids=IDS,
    )
    return msgspec.structs.replace(want, **changes)


def built(swap: DexSwap, ref: PoolRef | None = None, **changes: Any) -> bytes:
    options = {"wallet": WALLET, "blockhash": BLOCKHASH, "tip_account": TIP, "ids": IDS} | changes
    return to_bytes_versioned(swap_message(swap, ref or ref_of(swap.pool_kind), **options))


def swap_of(swap: DexSwap) -> Instruction:
    ref = ref_of(swap.pool_kind)
    options: dict[str, Any] = {
        "amount_raw": swap.amount_raw,
        "threshold_raw": swap.threshold_raw,
        "exact_in": swap.exact_in,
        "a_to_b": swap.a_to_b,
    }
    if swap.pool_kind == "cpmm":
        return cpmm_swap(ref, WALLET, **options)
    if swap.pool_kind == "ammv4":
        return ammv4_swap(ref, WALLET, **options)
    return swap_v2(ref, WALLET, tick_array_starts=swap.tick_array_starts, **options)


def pay(target: str, lamports: int, source: str = WALLET) -> Instruction:
    return transfer(
        TransferParams(
            from_pubkey=Pubkey.from_string(source),
            to_pubkey=Pubkey.from_string(target),
            lamports=lamports,
        )
    )


def compiled(*instructions: Instruction, payer: str = WALLET) -> bytes:
    made = MessageV0.try_compile(
        Pubkey.from_string(payer), list(instructions), [], Hash.from_string(BLOCKHASH)
    )
    return to_bytes_versioned(made)


def parts(swap: DexSwap) -> list[Instruction]:
    return [
        set_compute_unit_limit(swap.cu_limit),
        set_compute_unit_price(swap.cu_price_micro_lamports),
        swap_of(swap),
        pay(TIP, swap.tip_lamports),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("a_to_b", [True, False])
@pytest.mark.parametrize("exact_in", [True, False])
@pytest.mark.parametrize("tip", [0, 20_000])
def test_what_we_build_passes(kind: str, a_to_b: bool, exact_in: bool, tip: int) -> None:
    swap = ask(kind, a_to_b=a_to_b, exact_in=exact_in, tip_lamports=tip)
    raw = built(swap)
    check_message(raw, expectation(swap))
    assert len(raw) + 65 < 1232
    assert max_fee_lamports(swap) == 5_000 + 2_000 + tip


def test_fewer_tick_arrays_pass_as_built() -> None:
    swap = ask(tick_array_starts=STARTS[:1])
    check_message(built(swap), expectation(swap))


@pytest.mark.parametrize("kind", KINDS)
def test_every_swapped_account_is_refused(kind: str) -> None:
    swap = ask(kind)
    good = swap_of(swap)
    hostile = Pubkey.from_string(THIEF)
    for index, meta in enumerate(good.accounts):
        if meta.is_signer:
            continue
        metas = list(good.accounts)
        metas[index] = AccountMeta(hostile, is_signer=False, is_writable=meta.is_writable)
        bad = Instruction(good.program_id, good.data, metas)
        limit, price, _, tip = parts(swap)
        with pytest.raises(NotSent, match="firewall"):
            check_message(compiled(limit, price, bad, tip), expectation(swap))


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_data_byte_is_refused(kind: str) -> None:
    swap = ask(kind)
    good = swap_of(swap)
    limit, price, _, tip = parts(swap)
    for index in range(len(good.data)):
        data = bytearray(good.data)
        data[index] ^= 0x41
        bad = Instruction(good.program_id, bytes(data), list(good.accounts))
        with pytest.raises(NotSent, match="firewall"):
            check_message(compiled(limit, price, bad, tip), expectation(swap))


def drain() -> Instruction:
    return approve(
        ApproveParams(
            program_id=Pubkey.from_string(IDS.token),
            source=Pubkey.from_string(associated_token_address(WALLET, USDC)),
            delegate=Pubkey.from_string(THIEF),
            owner=Pubkey.from_string(WALLET),
            amount=2**64 - 1,
            signers=[],
        )
    )


HOSTILE: dict[str, Callable[[DexSwap], bytes]] = {
    "token approve": lambda s: compiled(*parts(s), drain()),
    "second transfer": lambda s: compiled(*parts(s), pay(THIEF, 1)),
    "second tip": lambda s: compiled(*parts(s), pay(TIP, s.tip_lamports)),
    "second swap": lambda s: compiled(*parts(s), swap_of(s)),
    "tip to another": lambda s: compiled(*parts(s)[:3], pay(THIEF, s.tip_lamports)),
    "bigger tip": lambda s: compiled(*parts(s)[:3], pay(TIP, s.tip_lamports + 1)),
    "no tip": lambda s: compiled(*parts(s)[:3]),
    "no swap": lambda s: compiled(*parts(s)[:2], parts(s)[3]),
    "no limit": lambda s: compiled(*parts(s)[1:]),
    "another limit": lambda s: compiled(set_compute_unit_limit(1_400_000), *parts(s)[1:]),
    "another price": lambda s: compiled(parts(s)[0], set_compute_unit_price(10_001), *parts(s)[2:]),
    "heap request": lambda s: compiled(
        *parts(s), Instruction(parts(s)[0].program_id, b"\x01\x00\x00\x01\x00", [])
    ),
    "another payer": lambda s: compiled(*parts(s), payer=THIEF),
    "second signer": lambda s: compiled(*parts(s)[:3], pay(TIP, s.tip_lamports, THIEF)),
    "unknown program": lambda s: compiled(
        *parts(s), Instruction(Pubkey.from_string(THIEF), b"", [])
    ),
    "another blockhash": lambda s: built(s, blockhash=key("old")),
    "legacy message": lambda s: to_bytes_versioned(
        Message.new_with_blockhash(
            parts(s), Pubkey.from_string(WALLET), Hash.from_string(BLOCKHASH)
        )
    ),
    "tail": lambda s: built(s) + b"\0",
    "empty": lambda _: b"",
    "other pool of ours": lambda s: built(s, ref_with(address=key("other pool"))),
    "vault of ours": lambda s: built(s, ref_with(vault_b=associated_token_address(WALLET, USDC))),
    "tick array of another pool": lambda s: built(
        msgspec.structs.replace(s, tick_array_starts=(0, -352, -704))
    ),
}


def ref_with(**changes: Any) -> PoolRef:
    return msgspec.structs.replace(ref_of(), **changes)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_refused(name: str) -> None:
    swap = ask()
    with pytest.raises(NotSent, match="firewall"):
        check_message(HOSTILE[name](swap), expectation(swap))


def test_an_extra_writable_account_is_refused() -> None:
    swap = ask()
    limit, price, good, tip = parts(swap)
    metas = list(good.accounts)
    metas[5] = AccountMeta(metas[5].pubkey, is_signer=False, is_writable=True)
    bad = Instruction(good.program_id, good.data, metas)
    with pytest.raises(NotSent, match="is writable"):
        check_message(compiled(limit, price, bad, tip), expectation(swap))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_raw": 0}, "zero"),
        ({"threshold_raw": 0}, "zero"),
        ({"tip_lamports": 10_000_001}, "tip"),
        ({"cu_price_micro_lamports": 26_000_000}, "priority"),
    ],
)
def test_an_ask_beyond_the_limits_is_refused(changes: dict[str, int], reason: str) -> None:
    swap = ask(**changes)
    with pytest.raises(NotSent, match=reason):
        check_message(built(swap), expectation(swap))


def test_a_mint_we_do_not_trade_is_refused() -> None:
    swap = ask()
    with pytest.raises(NotSent, match="mint"):
        check_message(built(swap), expectation(swap, mints=frozenset({WSOL})))


def test_mutated_messages_never_pass_unless_equal() -> None:
    swap = ask()
    raw = built(swap)
    want = expectation(swap)
    rng = seeded_random(8)
    for _ in range(3000):
        data = bytearray(raw)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if bytes(data) == raw:
            continue
        with pytest.raises(NotSent):
            check_message(bytes(data), want)
