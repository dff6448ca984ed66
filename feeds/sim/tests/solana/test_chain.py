"""Landing: once per signature, expiry, blockhashes, forks, skipped slots, restart."""

from __future__ import annotations

import statistics

import pytest
from solders.keypair import Keypair

from feeds.market.clmm import arrays_for_swap
from feeds.sim import seeding
from feeds.sim.solana.landing import LandingSettings
from feeds.sim.solana.transactions import BadSignature, BadTransaction, parse
from feeds.sim.tests.solana.chain_bench import OWNER, START_NS, Bench, signed, signed_swap
from feeds.sim.truth import TruthStore

SOL = seeding.market_of("SOL")


def small_swap(bench: Bench, amount: int = 10**9, **terms) -> bytes:
    pool = bench.chain.bank.pool(SOL.spec.pool)
    return signed_swap(
        bench,
        SOL,
        amount,
        0,
        exact_in=True,
        a_to_b=True,
        starts=arrays_for_swap(pool, True),
        **terms,
    )


def test_the_same_bytes_execute_once_however_often_they_are_sent():
    bench = Bench()
    raw = small_swap(bench)
    before = bench.balance(seeding.WSOL_MINT)
    for _ in range(3):
        bench.chain.submit(raw)
    bench.slots()
    bench.chain.submit(raw)
    bench.slots(3)
    assert before - bench.balance(seeding.WSOL_MINT) == 10**9
    assert bench.chain.landed_count == 1


def test_nothing_lands_after_its_last_valid_height():
    bench = Bench()
    bench.faults.set("solana.land_p", 0.0)
    raw = small_swap(bench)
    signature = bench.chain.submit(raw).signature
    issued = bench.chain.height
    bench.slots(149)
    assert bench.chain.is_waiting(signature)
    bench.slots(1)
    assert bench.chain.height == issued + 150
    assert not bench.chain.is_waiting(signature)
    bench.faults.set("solana.land_p", 1.0)
    bench.chain.submit(raw)
    bench.slots(5)
    assert bench.chain.record(signature) is None


def test_the_last_valid_block_still_takes_it():
    bench = Bench()
    bench.faults.set("solana.land_p", 0.0)
    raw = small_swap(bench)
    issued = bench.chain.height
    bench.slots(149)
    bench.faults.set("solana.land_p", 1.0)
    signature = bench.chain.submit(raw).signature
    bench.slots(1)
    assert bench.chain.record(signature).height == issued + 150


def test_an_unknown_blockhash_is_swallowed_and_never_lands():
    bench = Bench()
    raw = small_swap(bench, blockhash=seeding.address_of("no such block"))
    signature = bench.chain.submit(raw).signature
    bench.slots(3)
    assert not bench.chain.is_waiting(signature)
    assert bench.chain.record(signature) is None


def test_a_forged_signature_and_broken_bytes_are_refused():
    bench = Bench()
    raw = small_swap(bench)
    forged = bytes([raw[0], raw[1] ^ 1]) + raw[2:]
    with pytest.raises(BadSignature):
        bench.chain.submit(forged)
    for broken in (b"", raw[:-3], raw + b"\0", bytes(1300)):
        with pytest.raises(BadTransaction):
            parse(broken)


def test_a_payer_without_money_never_lands():
    bench = Bench()
    raw = signed(bench.chain, [], keypair=Keypair.from_seed(bytes(32)))
    signature = bench.chain.submit(raw).signature
    bench.slots(3)
    assert bench.chain.record(signature) is None


def test_a_fork_takes_everything_back_and_the_transaction_lands_again():
    bench = Bench()
    opening = dict(bench.chain.bank.items())
    signature = bench.chain.submit(small_swap(bench)).signature
    bench.slots(1)
    first = bench.chain.record(signature)
    assert first is not None
    height, lost = bench.chain.height, bench.chain.newest
    bench.faults.set("solana.land_p", 0.0)
    bench.faults.set("solana.fork", True)
    bench.slots(1)
    assert bench.chain.record(signature) is None
    assert dict(bench.chain.bank.items()) == opening
    assert bench.chain.height == height
    assert bench.chain.newest.blockhash != lost.blockhash
    assert bench.chain.newest.parent == lost.parent
    assert [e for e in bench.truth.ledger(OWNER) if e.reference == signature] != []
    bench.faults.set("solana.land_p", 1.0)
    bench.slots(1)
    assert bench.chain.record(signature).slot == first.slot + 2
    total = sum(float(e.delta) for e in bench.truth.ledger(OWNER) if e.asset == seeding.WSOL_MINT)
    assert total == bench.balance(seeding.WSOL_MINT) / 1e9


def test_a_transaction_on_an_abandoned_blockhash_is_lost():
    bench = Bench()
    bench.slots(1)
    bench.faults.set("solana.land_p", 0.0)
    signature = bench.chain.submit(small_swap(bench)).signature
    bench.faults.set("solana.fork", True)
    bench.slots(1)
    bench.faults.set("solana.land_p", 1.0)
    bench.slots(3)
    assert bench.chain.record(signature) is None


def test_a_restart_keeps_accounts_and_records_and_the_clock_goes_on(tmp_path):
    path = tmp_path / "truth.sqlite3"
    bench = Bench(TruthStore(path))
    landed = bench.chain.submit(small_swap(bench)).signature
    bench.slots(1)
    bench.faults.set("solana.land_p", 0.0)
    waiting = bench.chain.submit(small_swap(bench, 2 * 10**9)).signature
    bench.slots(2)
    slot, height, accounts = bench.chain.slot, bench.chain.height, dict(bench.chain.bank.items())
    hashes = [block.blockhash for block in bench.chain.blocks_since(slot - 2)]
    # No closing: what a killed process left behind.
    later = bench.schedule.now_ns + 40 * 400_000_000
    again = Bench(TruthStore(path), now_ns=later)
    assert dict(again.chain.bank.items()) == accounts
    assert again.chain.record(landed) == bench.chain.record(landed)
    assert again.chain.slot == slot + 40
    assert height + 38 <= again.chain.height <= height + 40
    assert all(again.chain.is_blockhash_valid(each, again.chain.height) for each in hashes)
    assert again.chain.is_waiting(waiting)
    again.slots(1)
    assert again.chain.record(waiting).meta.error is None


def test_landing_follows_the_reference_hazard():
    settings = LandingSettings(skipped_slot_p=0.0, slot_jitter_ms=0.0, congestion_spread=0.0)
    waits, slow = [], []
    for number in range(150):
        bench = Bench(settings=settings, seed=f"landing {number}")
        bench.faults.set("solana.land_p", settings.land_p)
        usual = bench.chain.submit(small_swap(bench, tip=settings.reference_bid_lamports)).signature
        poor = bench.chain.submit(small_swap(bench, 10**8, tip=500)).signature
        for _ in range(4):
            bench.slots(1)
        for signature, found in ((usual, waits), (poor, slow)):
            record = bench.chain.record(signature)
            found.append(record.slot - 300_000_000 if record else 9)
    first = sum(wait == 1 for wait in waits) / len(waits)
    assert 0.6 < first < 0.8
    assert sum(wait == 9 for wait in waits) <= 6
    assert statistics.mean(slow) > 2 * statistics.mean(waits)


def test_skipped_slots_have_no_block_and_heights_lag_slots():
    bench = Bench(settings=LandingSettings(skipped_slot_p=0.3))
    bench.slots(200)
    made = bench.chain.height - 280_000_000
    assert 110 < made < 170
    assert bench.chain.slot == 300_000_200
    assert bench.schedule.now_ns - START_NS == pytest.approx(200 * 4e8, rel=0.05)
