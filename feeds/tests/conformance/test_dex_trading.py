"""What every DEX adapter must do, numbered; a new chain joins `RIGS` and must pass.

D1 sign   D2 refused signatures   D3 broadcast and sightings   D4 the same bytes land once
D5 statuses per provider   D6 expiry   D7 receipts by commitment   D8 failed transactions
D9 unknown and not sent   D10 balances   D11 own accounts are heard   D12 failed reads
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from feeds.market.clmm import arrays_for_swap
from feeds.market.quote import quote
from feeds.tests.conformance.venues import SimVenues, run_patient
from feeds.venues.base import DexEvent, DexSwap, DexTrading, SignedSwap, TokenBalance, TxSighting

BASE_RAW = 10**9


class SolanaRig:
    """The Solana adapter on two simulated nodes."""

    FAIL_NEXT = "solana.fail_next"
    LAND = "solana.land_p"
    LOSE_ANSWERS = "solana.rpc_timeout_p"
    THROTTLE = "solana.rpc_429_p"

    def __init__(self) -> None:
        self.venues = SimVenues()
        self.seen: list[DexEvent] = []
        self.client: DexTrading = self.venues.solana_client(self.seen.append)

    def fault(self, name: str, value: Any = 1.0) -> None:
        self.venues.faults.set(name, value)

    def swap(self, **changes: Any) -> DexSwap:
        """Buy one SOL with 20 bps of slack."""
        spec = self.venues.spec
        pool = self.venues.chain.bank.pool(spec.pool)
        expected = quote(pool, BASE_RAW, exact_in=False, a_to_b=False).amount_in
        fields: dict[str, Any] = {
            "pool": spec.pool,
            "pool_kind": spec.pool_kind,
            "a_to_b": False,
            "exact_in": False,
            "amount_raw": BASE_RAW,
            "threshold_raw": expected + expected // 500,
            "tick_array_starts": arrays_for_swap(pool, a_to_b=False),
            "cu_price_micro_lamports": 100_000,
            "tip_lamports": 10_000,
        }
        return DexSwap(**fields | changes)

    def sightings(self, signature: str) -> list[TxSighting]:
        return [
            event
            for event in self.seen
            if isinstance(event, TxSighting) and event.signature == signature
        ]

    async def sent(self, **changes: Any) -> SignedSwap:
        signed = self.client.sign(self.swap(**changes))
        self.client.watch(signed.signature)
        await self.client.broadcast(signed.raw)
        return signed

    async def receipt(self, signature: str, commitment: Any) -> Any:
        """Wait for the record at a commitment."""
        async with asyncio.timeout(60):
            while True:
                found = await self.client.receipt(signature, commitment=commitment)
                if found is not None:
                    return found
                await asyncio.sleep(0.2)


RIGS = [SolanaRig]
Case = Callable[[Any], Coroutine[Any, Any, None]]


async def _play(make_rig: type[SolanaRig], body: Case) -> None:
    rig = make_rig()
    rig.venues.start()
    running = asyncio.create_task(rig.client.run())
    try:
        async with asyncio.timeout(30):
            while not rig.client.is_ready:
                await asyncio.sleep(0.01)
        await body(rig)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await rig.venues.stop()


def case(body: Case) -> Callable[..., None]:
    """Run one case on every rig."""

    @pytest.mark.parametrize("make_rig", RIGS)
    def test(make_rig: type[SolanaRig]) -> None:
        run_patient(_play(make_rig, body))

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


@case
async def test_d1_signing_names_signature_height_and_fee_before_anything_is_sent(
    rig: SolanaRig,
) -> None:
    signed = rig.client.sign(rig.swap())
    height = rig.venues.chain.height
    assert height < signed.last_valid_height <= height + 151
    assert signed.max_fee_lamports >= 5_000 + 20_000 + 10_000
    await asyncio.sleep(2.0)
    assert rig.venues.chain.landed_count == 0
    again = rig.client.sign(rig.swap(amount_raw=BASE_RAW // 2))
    assert again.signature != signed.signature


@case
async def test_d2_what_the_firewall_does_not_know_is_not_signed(rig: SolanaRig) -> None:
    with pytest.raises(NotSent):
        rig.client.sign(rig.swap(pool="11111111111111111111111111111111"))
    with pytest.raises(NotSent):
        rig.client.sign(rig.swap(tip_lamports=10**12))


@case
async def test_d3_a_landing_is_seen_at_processed_and_again_at_better_levels(
    rig: SolanaRig,
) -> None:
    signed = await rig.sent()
    await asyncio.sleep(20.0)
    levels = [sighting.commitment for sighting in rig.sightings(signed.signature)]
    assert levels == ["processed", "confirmed", "finalized"]
    record = rig.venues.chain.record(signed.signature)
    assert {sighting.slot for sighting in rig.sightings(signed.signature)} == {record.slot}
    assert {sighting.error for sighting in rig.sightings(signed.signature)} == {None}


@case
async def test_d4_the_same_bytes_land_once_however_often_they_are_sent(rig: SolanaRig) -> None:
    signed = await rig.sent()
    for _ in range(5):
        await rig.client.broadcast(signed.raw)
        await asyncio.sleep(0.5)
    assert rig.venues.chain.landed_count == 1


@case
async def test_d5_each_provider_answers_for_itself(rig: SolanaRig) -> None:
    rig.fault(rig.LAND, 0.0)
    signed = await rig.sent()
    answers = await rig.client.statuses(signed.signature, commitment="confirmed")
    assert {answer.provider for answer in answers} == {"alpha", "beta"}
    assert [answer.sighting for answer in answers] == [None, None]
    assert all(0 <= rig.venues.chain.height - answer.height <= 4 for answer in answers)
    rig.fault(rig.LAND, 1.0)
    await rig.client.broadcast(signed.raw)
    await asyncio.sleep(15.0)
    for answer in await rig.client.statuses(signed.signature, commitment="finalized"):
        assert answer.sighting is not None
        assert answer.sighting.commitment == "finalized"


@case
async def test_d6_silence_past_the_last_valid_height_is_evidence(rig: SolanaRig) -> None:
    rig.fault(rig.LAND, 0.0)
    signed = await rig.sent()
    async with asyncio.timeout(120):
        while True:
            answers = await rig.client.statuses(signed.signature, commitment="finalized")
            if all(answer.height > signed.last_valid_height for answer in answers):
                break
            await asyncio.sleep(1.0)
    assert [answer.sighting for answer in answers] == [None, None]
    rig.fault(rig.LAND, 1.0)
    await asyncio.sleep(5.0)
    assert rig.venues.chain.landed_count == 0


@case
async def test_d7_receipts_tell_exact_deltas_by_commitment(rig: SolanaRig) -> None:
    wallet, chain = rig.venues.credentials.wallet, rig.venues.chain
    before = chain.books.balances_raw(wallet, chain.bank)
    signed = await rig.sent()
    confirmed = await rig.receipt(signed.signature, "confirmed")
    assert await rig.client.receipt(signed.signature, commitment="finalized") is None
    final = await rig.receipt(signed.signature, "finalized")
    same = msgspec.structs.replace(confirmed, commitment="finalized")
    assert same == final
    after = chain.books.balances_raw(wallet, chain.bank)
    deltas = {mint: after[mint] - before[mint] for mint in after if after[mint] != before[mint]}
    native = deltas.pop("SOL")
    assert final.deltas_raw == deltas
    assert deltas[rig.venues.spec.base_mint] == BASE_RAW
    assert native == -(final.fee_lamports + final.tip_lamports)
    assert final.tip_lamports == 10_000


@case
async def test_d8_a_failed_transaction_has_a_fee_and_no_deltas(rig: SolanaRig) -> None:
    rig.fault(rig.FAIL_NEXT, True)
    signed = await rig.sent()
    final = await rig.receipt(signed.signature, "finalized")
    assert final.error is not None
    assert (final.error_code, final.deltas_raw, final.tip_lamports) == (6036, {}, 0)
    assert final.fee_lamports == 25_000
    assert all(sighting.error is not None for sighting in rig.sightings(signed.signature))


@case
async def test_d9_a_lost_answer_is_unknown_and_the_bytes_may_land(rig: SolanaRig) -> None:
    rig.fault(rig.LOSE_ANSWERS)
    signed = rig.client.sign(rig.swap())
    with pytest.raises(OutcomeUnknown):
        await rig.client.broadcast(signed.raw)
    rig.fault(rig.LOSE_ANSWERS, 0.0)
    await asyncio.sleep(2.0)
    assert rig.venues.chain.landed_count == 1


@case
async def test_d9b_throttled_sends_are_never_taken_for_accepted(rig: SolanaRig) -> None:
    rig.fault(rig.THROTTLE)
    signed = rig.client.sign(rig.swap())
    with pytest.raises((NotSent, Rejected, OutcomeUnknown)):
        await rig.client.broadcast(signed.raw)


@case
async def test_d10_balances_are_the_chains_own(rig: SolanaRig) -> None:
    await rig.sent()
    await asyncio.sleep(20.0)
    chain = rig.venues.chain
    true = chain.books.balances_raw(rig.venues.credentials.wallet, chain.bank)
    read = await rig.client.balances()
    assert read == {mint: true[mint] for mint in read}
    assert set(read) == {"SOL", rig.venues.spec.base_mint, rig.venues.spec.quote_mint}


@case
async def test_d11_own_accounts_are_heard_when_they_change(rig: SolanaRig) -> None:
    await asyncio.sleep(1.0)
    rig.seen.clear()
    await rig.sent()
    await asyncio.sleep(2.0)
    heard = {event.mint: event.raw for event in rig.seen if isinstance(event, TokenBalance)}
    chain = rig.venues.chain
    true = chain.books.balances_raw(rig.venues.credentials.wallet, chain.bank)
    assert heard == {mint: true[mint] for mint in heard}
    assert set(heard) == {"SOL", rig.venues.spec.base_mint, rig.venues.spec.quote_mint}


@case
async def test_d12_a_read_that_nobody_answers_is_said_so(rig: SolanaRig) -> None:
    rig.fault(rig.THROTTLE)
    with pytest.raises(QueryFailed):
        await rig.client.balances()
    with pytest.raises(QueryFailed):
        await rig.client.receipt("1" * 64, commitment="confirmed")
    assert await rig.client.statuses("1" * 64, commitment="confirmed") == []
