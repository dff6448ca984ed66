"""Signed swaps execute to the unit as the market math says, and fail as the programs do."""

from __future__ import annotations

from decimal import Decimal

import pytest
from solders.keypair import Keypair

from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import Swap, Whirlpool
from feeds.market.quote import quote
from feeds.sim import seeding
from feeds.sim.solana.accounts import Token, Wallet
from feeds.sim.solana.transactions import parse
from feeds.sim.tests.solana.chain_bench import OWNER, Bench, signed, signed_swap, swap_instruction
from feeds.venues.solana import layouts, programs

ASSETS = ("SOL", "JUP", "WIF")
ERROR_BELOW = {"whirlpool": 6036, "cpmm": 6005}
ERROR_ABOVE = {"whirlpool": 6037, "cpmm": 6005}


def plan(bench: Bench, asset: str, a_to_b: bool, exact_in: bool):
    """A mid-sized swap with its exact quote and tick arrays."""
    market = seeding.market_of(asset)
    pool = bench.chain.bank.pool(market.spec.pool)
    known_side_is_a = a_to_b == exact_in
    mint = pool.mint_a if known_side_is_a else pool.mint_b
    amount = bench.balance(mint) // 20
    found = quote(
        pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=bench.schedule.now_ns // 10**9
    )
    assert isinstance(found, Swap)
    starts = arrays_for_swap(pool, a_to_b) if isinstance(pool, Whirlpool) else ()
    return market, pool, amount, found, starts


@pytest.mark.parametrize("exact_in", [True, False])
@pytest.mark.parametrize("a_to_b", [True, False])
@pytest.mark.parametrize("asset", ASSETS)
def test_a_signed_swap_moves_exactly_what_the_quote_says(asset, a_to_b, exact_in):
    bench = Bench()
    market, pool, amount, found, starts = plan(bench, asset, a_to_b, exact_in)
    threshold = found.amount_out if exact_in else found.amount_in  # equality passes
    mint_in, mint_out = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
    before_in, before_out, lamports = (
        bench.balance(mint_in),
        bench.balance(mint_out),
        bench.lamports,
    )
    totals = bench.chain.bank.totals()

    raw = signed_swap(
        bench, market, amount, threshold, exact_in=exact_in, a_to_b=a_to_b, starts=starts,
        cu_price=50_001, tip=7_777,
    )  # fmt: skip
    signature = bench.chain.submit(raw).signature
    bench.slots()

    record = bench.chain.record(signature)
    assert record is not None
    assert record.meta.error is None
    assert before_in - bench.balance(mint_in) == found.amount_in
    assert bench.balance(mint_out) - before_out == found.amount_out
    fee = 5_000 + 10_001  # 200,000 units at 50,001 micro-lamports, rounded up
    assert record.meta.fee_lamports == fee
    assert lamports - bench.lamports == fee + 7_777
    after = bench.chain.bank.pool(pool.address)
    if isinstance(after, Whirlpool):
        assert after.sqrt_price == found.after.sqrt_price
        events = layouts.traded_from_logs(record.meta.logs)
        assert [(e.amount_in, e.amount_out) for e in events] == [
            (found.amount_in, found.amount_out)
        ]
    else:
        assert after == found.after
    assert bench.chain.bank.totals() == totals


@pytest.mark.parametrize("exact_in", [True, False])
@pytest.mark.parametrize("asset", ASSETS)
def test_a_breached_threshold_fails_with_the_programs_code_and_costs_the_fee(asset, exact_in):
    bench = Bench()
    market, pool, amount, found, starts = plan(bench, asset, True, exact_in)
    threshold = found.amount_out + 1 if exact_in else found.amount_in - 1
    before = {mint: bench.balance(mint) for mint in (pool.mint_a, pool.mint_b)}
    lamports = bench.lamports
    raw = signed_swap(
        bench, market, amount, threshold, exact_in=exact_in, a_to_b=True, starts=starts,
        cu_price=100_000, tip=1_000_000,
    )  # fmt: skip
    signature = bench.chain.submit(raw).signature
    bench.slots()
    code = (ERROR_BELOW if exact_in else ERROR_ABOVE)[market.spec.pool_kind]
    record = bench.chain.record(signature)
    assert record.meta.error == {"InstructionError": [2, {"Custom": code}]}
    assert {mint: bench.balance(mint) for mint in before} == before
    # Fee and priority are charged on failure, the tip is not.
    assert lamports - bench.lamports == 5_000 + 20_000
    assert bench.chain.bank.pool(pool.address) == pool


def test_walking_past_the_carried_arrays_fails_as_the_chain_does():
    bench = Bench()
    market, _, _, _, starts = plan(bench, "SOL", True, True)
    huge = 10**15
    raw = signed_swap(bench, market, huge, 0, exact_in=True, a_to_b=True, starts=starts)
    other = signed_swap(
        bench, market, 10**6, 0, exact_in=True, a_to_b=True, starts=(starts[2],) * 3
    )
    first, second = bench.chain.submit(raw), bench.chain.submit(other)
    bench.slots()
    # The first walks off its three arrays; the second carries none that holds the price.
    assert bench.chain.record(first.signature).meta.error["InstructionError"][1] == {"Custom": 6038}
    assert bench.chain.record(second.signature).meta.error["InstructionError"][1] == {
        "Custom": 6023
    }


def test_more_than_the_wallet_holds_is_the_token_programs_error_1():
    bench = Bench()
    market, pool, _, _, starts = plan(bench, "SOL", True, True)
    raw = signed_swap(
        bench, market, bench.balance(pool.mint_a) + 1, 0, exact_in=True, a_to_b=True, starts=starts
    )
    signature = bench.chain.submit(raw).signature
    bench.slots()
    assert bench.chain.record(signature).meta.error == {"InstructionError": [2, {"Custom": 1}]}


def test_a_too_small_compute_limit_cannot_complete():
    bench = Bench()
    market, _, amount, _, starts = plan(bench, "SOL", True, True)
    swap = swap_instruction(market, amount, 0, exact_in=True, a_to_b=True, starts=starts)
    signature = bench.chain.submit(signed(bench.chain, [swap], cu_limit=20_000)).signature
    bench.slots()
    error = {"InstructionError": [2, "ProgramFailedToComplete"]}
    assert bench.chain.record(signature).meta.error == error


@pytest.mark.parametrize("asset", ASSETS)
def test_a_simulation_tells_the_units_that_the_swap_then_needs(asset):
    bench = Bench()
    market = seeding.market_of(asset)
    pool, now_s = bench.chain.bank.pool(market.spec.pool), bench.schedule.now_ns // 10**9
    held, account = bench.balance(pool.mint_b), seeding.token_account_of(OWNER, pool.mint_b)
    bench.chain.bank.put(account, Token(pool.mint_b, OWNER, 40 * held))
    starts = arrays_for_swap(pool, False) if isinstance(pool, Whirlpool) else ()
    seen = []
    for amount in (held // 400, 17 * held):
        found = quote(pool, amount, exact_in=True, a_to_b=False, now_s=now_s)
        assert isinstance(found, Swap)
        swap = swap_instruction(market, amount, 0, exact_in=True, a_to_b=False, starts=starts)
        meta, _ = bench.chain.simulate(parse(signed(bench.chain, [swap])))
        assert meta.error is None
        seen.append((found.crossings, meta.units))
    (few, fewer_units), (many, units) = seen
    assert units > 20_000
    assert (units > fewer_units) == (many > few)
    if isinstance(pool, Whirlpool):
        assert many > few
    # One unit less than simulated and it fails at the chain; exactly as many, and it lands.
    errors = []
    for limit in (units - 1, units):
        signature = bench.chain.submit(signed(bench.chain, [swap], cu_limit=limit)).signature
        bench.slots()
        errors.append(bench.chain.record(signature).meta.error)
    assert errors == [{"InstructionError": [2, "ProgramFailedToComplete"]}, None]


def test_a_tighter_limit_costs_less_and_bids_no_lower():
    bench = Bench()
    market, _, amount, _, starts = plan(bench, "SOL", True, True)
    swap = swap_instruction(market, amount, 0, exact_in=True, a_to_b=True, starts=starts)
    wide, tight, dear = (
        parse(signed(bench.chain, [swap], cu_limit=limit, cu_price=price, tip=7_777))
        for limit, price in ((200_000, 50_001), (60_000, 50_001), (60_000, 60_000))
    )
    tips = frozenset(seeding.tip_accounts())
    assert wide.bid_lamports(tips) == tight.bid_lamports(tips) == 10_001 + 7_777
    assert dear.bid_lamports(tips) > wide.bid_lamports(tips)
    assert (wide.fee_lamports, tight.fee_lamports) == (5_000 + 10_001, 5_000 + 3_001)


def test_somebody_elses_token_account_cannot_pay():
    bench = Bench()
    market, pool, amount, _, starts = plan(bench, "SOL", True, True)
    thief = Keypair.from_seed(bytes(range(32)))
    swap = swap_instruction(market, amount, 0, exact_in=True, a_to_b=True, starts=starts)
    # The thief signs and names our token accounts as its own.
    hijacked = type(swap)(swap.program_id, swap.data, [
        type(meta)(thief.pubkey(), True, False) if str(meta.pubkey) == OWNER else meta
        for meta in swap.accounts
    ])  # fmt: skip
    funds = programs.associated_token_address(OWNER, pool.mint_a)
    before = bench.chain.bank.raw(funds)
    bench.chain.bank.load([(str(thief.pubkey()), Wallet(10**9))], bench.chain.slot)
    signature = bench.chain.submit(signed(bench.chain, [hijacked], keypair=thief)).signature
    bench.slots()
    assert bench.chain.record(signature).meta.error == {"InstructionError": [2, {"Custom": 4}]}
    assert bench.chain.bank.raw(funds) == before


def test_our_ledger_entries_sum_to_our_balances():
    bench = Bench()
    for asset in ASSETS:
        market, _, amount, _, starts = plan(bench, asset, True, True)
        for threshold in (0, 2**63):  # one that fills, one that fails
            raw = signed_swap(
                bench, market, amount, threshold, exact_in=True, a_to_b=True, starts=starts,
                cu_price=10_000, tip=5_000,
            )  # fmt: skip
            bench.chain.submit(raw)
            bench.slots()
    sums: dict[str, Decimal] = {}
    for entry in bench.truth.ledger(OWNER):
        sums[entry.asset] = sums.get(entry.asset, Decimal(0)) + Decimal(entry.delta)
    balances = bench.chain.books.balances(OWNER, bench.chain.bank)
    assert sums == {asset: Decimal(text) for asset, text in balances.items()}
