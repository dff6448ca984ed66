"""The simulated AMM v4 program against the trading side's builder and the market math."""

from __future__ import annotations

import msgspec
import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from feeds.market.pools import AmmV4Pool, Swap
from feeds.market.quote import quote
from feeds.sim import seeding
from feeds.sim.solana import accounts
from feeds.sim.solana.accounts import Core, State, Token
from feeds.sim.tests.solana.chain_bench import OWNER, Bench, signed
from feeds.venues.solana import layouts
from feeds.venues.solana.programs import PoolRef, ammv4_swap

POOL = AmmV4Pool(
    address=seeding.address_of("amm v4"),
    mint_a=seeding.WSOL_MINT,
    mint_b=seeding.USDC_MINT,
    vault_a=seeding.address_of("amm v4 vault a"),
    vault_b=seeding.address_of("amm v4 vault b"),
    vault_a_raw=100_000 * 10**9,
    vault_b_raw=15_000_000 * 10**6,
    need_take_pnl_a=0,
    need_take_pnl_b=12_345,
    swap_fee_numerator=25,
    swap_fee_denominator=10_000,
    status=6,
    open_time=0,
)


def bench_with_pool() -> Bench:
    bench = Bench()
    owner = seeding.ammv4_authority()
    core = msgspec.structs.replace(POOL, vault_a_raw=0, vault_b_raw=0)
    made: list[tuple[str, State]] = [
        (POOL.address, Core(core)),
        (POOL.vault_a, Token(POOL.mint_a, owner, POOL.vault_a_raw)),
        (POOL.vault_b, Token(POOL.mint_b, owner, POOL.vault_b_raw)),
    ]
    bench.chain.bank.load(made, bench.chain.slot)
    return bench


def ask(amount: int, threshold: int, *, exact_in: bool, a_to_b: bool) -> Instruction:
    return ammv4_swap(
        PoolRef.from_pool(POOL), OWNER, amount_raw=amount, threshold_raw=threshold,
        exact_in=exact_in, a_to_b=a_to_b,
    )  # fmt: skip


@pytest.mark.parametrize("exact_in", [True, False])
@pytest.mark.parametrize("a_to_b", [True, False])
def test_a_signed_swap_moves_exactly_what_the_quote_says(a_to_b: bool, exact_in: bool) -> None:
    bench = bench_with_pool()
    found = quote(POOL, 7_777_777, exact_in=exact_in, a_to_b=a_to_b)
    assert isinstance(found, Swap)
    threshold = found.amount_out if exact_in else found.amount_in
    mint_in, mint_out = (POOL.mint_a, POOL.mint_b) if a_to_b else (POOL.mint_b, POOL.mint_a)
    before = bench.balance(mint_in), bench.balance(mint_out)
    swap = ask(7_777_777, threshold, exact_in=exact_in, a_to_b=a_to_b)
    signature = bench.chain.submit(signed(bench.chain, [swap])).signature
    bench.slots()
    record = bench.chain.record(signature)
    assert record is not None
    assert record.meta.error is None
    assert before[0] - bench.balance(mint_in) == found.amount_in
    assert bench.balance(mint_out) - before[1] == found.amount_out
    assert bench.chain.bank.pool(POOL.address) == found.after
    encoded = accounts.encode(POOL.address, bench.chain.bank.written[POOL.address])
    raw = layouts.RawAccount(POOL.address, encoded.owner, encoded.lamports, encoded.data)
    state = layouts.decode_ammv4_state(raw, program=seeding.AMMV4_PROGRAM)
    assert state.need_take_pnl_b == POOL.need_take_pnl_b


def error_of(bench: Bench, instruction: Instruction) -> object:
    signature = bench.chain.submit(signed(bench.chain, [instruction])).signature
    bench.slots()
    record = bench.chain.record(signature)
    assert record is not None
    assert isinstance(record.meta.error, dict)
    failed = record.meta.error["InstructionError"]
    assert isinstance(failed, list)
    return failed[1]


@pytest.mark.parametrize("exact_in", [True, False])
def test_a_breached_threshold_fails_with_30(exact_in: bool) -> None:
    found = quote(POOL, 7_777_777, exact_in=exact_in, a_to_b=True)
    assert isinstance(found, Swap)
    threshold = found.amount_out + 1 if exact_in else found.amount_in - 1
    swap = ask(7_777_777, threshold, exact_in=exact_in, a_to_b=True)
    assert error_of(bench_with_pool(), swap) == {"Custom": 30}


def test_swapped_vaults_and_an_unknown_tag_fail() -> None:
    good = ask(1_000_000, 1, exact_in=True, a_to_b=True)
    metas = list(good.accounts)
    metas[3], metas[4] = metas[4], metas[3]
    assert error_of(bench_with_pool(), Instruction(good.program_id, good.data, metas)) == {
        "Custom": 13
    }
    bad = Instruction(good.program_id, b"\x09" + good.data[1:], list(good.accounts))
    assert error_of(bench_with_pool(), bad) == "InvalidInstructionData"
    metas = list(good.accounts)
    metas[2] = AccountMeta(Pubkey.from_string(POOL.mint_a), is_signer=False, is_writable=False)
    assert error_of(bench_with_pool(), Instruction(good.program_id, good.data, metas)) == {
        "Custom": 0
    }
