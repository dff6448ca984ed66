"""Signing, sending, watching and proving over scripted nodes on loopback."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    initialize_mint2,
    mint_to,
)
from spl.token.models import InitializeMintParams, MintToParams

from arbsite.clock import SystemClock, seeded_random
from arbsite.errors import NotSent, OutcomeUnknown, QueryFailed, Rejected
from feeds.venues.base import DexSwap, TokenBalance, TxSighting
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.accounts import RawAccount, decode_token_account
from feeds.venues.solana.programs import PoolRef, associated_token_address
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, USDC, WSOL, key, token_account
from feeds.venues.solana.tests.node import BLOCKHASH, Heard, Refusal, ScriptedNode, running
from feeds.venues.solana.trading import SolanaTrading, TradingSettings

KEYPAIR = Keypair.from_seed(bytes(range(32)))
WALLET = str(KEYPAIR.pubkey())
TIP = key("tip account")
SLIPPAGE = {"InstructionError": [2, {"Custom": 6036}]}


def ata(mint: str) -> str:
    return associated_token_address(WALLET, mint)


def ref(pool: str) -> PoolRef | None:
    known = PoolRef.from_pool(builders.whirlpool())
    return known if pool == known.address else None


def trading(
    transport: SocketTransport, heard: Heard, *endpoints: RpcEndpoint, **changes: Any
) -> SolanaTrading:
    settings: dict[str, Any] = {
        "mints": (WSOL, USDC),
        "tip_accounts": (TIP,),
        "blockhash_every_s": 0.02,
        "poll_every_s": 0.02,
        "rpc_timeout_s": 0.5,
    }
    return SolanaTrading(
        transport,
        endpoints,
        KEYPAIR,
        ref,
        TradingSettings(**(settings | changes)),
        clock=SystemClock(),
        rng=seeded_random(4),
        sink=heard,
    )


def swap(**changes: Any) -> DexSwap:
    fields: dict[str, Any] = {
        "pool": key("whirlpool"),
        "pool_kind": "whirlpool",
        "a_to_b": True,
        "exact_in": True,
        "amount_raw": 1_000_000,
        "threshold_raw": 70_000,
        "tick_array_starts": (-26400, -26752, -27104),
        "cu_price_micro_lamports": 10_000,
        "tip_lamports": 20_000,
    }
    return DexSwap(**(fields | changes))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def desk(transport: SocketTransport, heard: Heard, node_a: ScriptedNode) -> SolanaTrading:
    made = trading(transport, heard, node_a.endpoint)
    made.ring.add(BLOCKHASH, 1050)
    return made


# ------------------------------------------------------------------ signing


def test_signed_bytes_are_a_valid_transaction_of_that_swap(desk: SolanaTrading) -> None:
    signed = desk.sign(swap())
    transaction = VersionedTransaction.from_bytes(signed.raw)
    transaction.verify_and_hash_message()
    assert str(transaction.signatures[0]) == signed.signature
    assert isinstance(transaction.message, MessageV0)
    assert (signed.blockhash, signed.last_valid_height) == (BLOCKHASH, 1050)
    assert signed.max_fee_lamports == 5_000 + 2_000 + 20_000
    assert len(signed.raw) < 1232
    # The same ask on the same hash is the same transaction: at most once on chain.
    assert desk.sign(swap()).raw == signed.raw


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pool": key("unknown")}, "no accounts are known"),
        ({"amount_raw": 1 << 64}, "cannot be built"),
        ({"cu_limit": -1}, "cannot be built"),
        ({"cu_limit": 0}, "firewall: 0 compute units"),
        ({"cu_limit": 1_400_001}, "firewall: 1400001 compute units"),
        ({"tip_lamports": -1}, "cannot be built"),
        ({"tick_array_starts": ()}, "cannot be built"),
        ({"threshold_raw": 0}, "firewall"),
        ({"pool_kind": "cpmm"}, "cannot be built"),
    ],
)
def test_what_cannot_be_signed_is_not_sent(
    desk: SolanaTrading, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotSent, match=reason):
        desk.sign(swap(**changes))
    assert desk.counters.signed == 0


def test_no_fresh_blockhash_or_tip_account_is_not_sent(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint, tip_accounts=())
    with pytest.raises(NotSent, match="tip account"):
        made.sign(swap())
    with pytest.raises(NotSent, match="no fresh blockhash"):
        made.sign(swap(tip_lamports=0))
    assert not made.is_ready


# ------------------------------------------------------------------ sending


async def test_broadcast_sends_the_same_bytes_to_every_endpoint(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint, node_b.endpoint)
    made.ring.add(BLOCKHASH, 1050)
    signed = made.sign(swap())
    await made.broadcast(signed.raw)
    await node_a.until(lambda: node_a.sent == [signed.raw])
    await node_b.until(lambda: node_b.sent == [signed.raw])


async def test_bytes_made_ready_leave_as_they_would_have_and_nothing_else_does(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint)
    made.ring.add(BLOCKHASH, 1050)
    first, second = made.sign(swap()), made.sign(swap(amount_raw=5))
    made.make_ready(first.raw)
    await made.broadcast(second.raw)
    await made.broadcast(first.raw)
    await node_a.until(lambda: node_a.sent == [second.raw, first.raw])


async def test_one_acceptance_is_enough_and_does_not_wait_for_the_slow(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint, node_b.endpoint)
    made.ring.add(BLOCKHASH, 1050)
    node_a.stall["sendTransaction"] = asyncio.Event()
    await asyncio.wait_for(made.broadcast(made.sign(swap()).raw), 0.4)
    assert len(node_b.sent) == 1
    assert node_a.sent == []


async def test_a_refusal_is_final_only_for_bytes_that_never_left_before(
    desk: SolanaTrading, node_a: ScriptedNode
) -> None:
    node_a.refuse["sendTransaction"] = Refusal(-32002, "preflight")
    first = desk.sign(swap())
    with pytest.raises(Rejected, match="preflight"):
        await desk.broadcast(first.raw)
    # Sent again, or signed by an earlier process: somebody may have it already.
    with pytest.raises(OutcomeUnknown):
        await desk.broadcast(first.raw)
    node_a.refuse.clear()
    second = desk.sign(swap(amount_raw=5))
    await desk.broadcast(second.raw)
    node_a.refuse["sendTransaction"] = Refusal(-32002, "already processed")
    with pytest.raises(OutcomeUnknown, match="already processed"):
        await desk.broadcast(second.raw)


@pytest.mark.parametrize("fault", ["timeout", "html", "throttled", "behind"])
async def test_any_doubt_is_outcome_unknown(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode, node_b: ScriptedNode, fault: str
) -> None:
    made = trading(transport, heard, node_a.endpoint, node_b.endpoint, rpc_timeout_s=0.1)
    made.ring.add(BLOCKHASH, 1050)
    node_b.refuse["sendTransaction"] = Refusal(-32003)
    if fault == "timeout":
        node_a.stall["sendTransaction"] = asyncio.Event()
    elif fault == "behind":
        node_a.refuse["sendTransaction"] = Refusal(-32005)
    else:
        node_a.http_status["sendTransaction"] = 502 if fault == "html" else 429
    with pytest.raises(OutcomeUnknown):
        await made.broadcast(made.sign(swap()).raw)


async def test_not_sent_means_no_byte_left_anywhere(
    transport: SocketTransport, heard: Heard
) -> None:
    gone = [RpcEndpoint(name, name, "http://127.0.0.1:1/", "ws://127.0.0.1:1/") for name in "ab"]
    made = trading(transport, heard, *gone)
    made.ring.add(BLOCKHASH, 1050)
    signed = made.sign(swap())
    for _ in range(2):
        with pytest.raises(NotSent):
            await made.broadcast(signed.raw)
    with pytest.raises(NotSent, match="one signature"):
        await made.broadcast(b"\x02" + bytes(200))


# ----------------------------------------------------------------- watching


async def test_run_keeps_ring_balances_and_readiness(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode
) -> None:
    node_a.put(
        [
            token_account(ata(WSOL), WSOL, WALLET, 7),
            RawAccount(WALLET, builders.SYSTEM, 5_000_000, b""),
        ]
    )
    made = trading(transport, heard, node_a.endpoint)
    async with running(made.run()):
        await heard.until(lambda: len(heard.of(TokenBalance)) == 3)
        assert {b.mint: b.raw for b in heard.of(TokenBalance)} == {
            WSOL: 7, USDC: 0, "SOL": 5_000_000,
        }  # fmt: skip
        await node_a.until(lambda: any(m == "getLatestBlockhash" for m, _ in node_a.calls))
        await node_a.tick(1001)
        await node_a.change(token_account(ata(USDC), USDC, WALLET, 99))
        await heard.until(lambda: heard.of(TokenBalance)[-1].raw == 99)
        assert heard.of(TokenBalance)[-1].slot == 1001
        assert made.is_ready
        # An older slot and another owner's account are not our balance.
        await node_a.change(token_account(ata(USDC), USDC, WALLET, 1), slot=999)
        await node_a.change(token_account(ata(USDC), USDC, key("thief"), 2), slot=1002)
        await node_a.change(token_account(ata(USDC), USDC, WALLET, 100), slot=1003)
        await heard.until(lambda: heard.of(TokenBalance)[-1].raw == 100)
        assert len(heard.of(TokenBalance)) == 5
        assert made.counters.corrupt_accounts == 1


async def test_a_failed_swap_is_sighted_and_the_socket_lives_on(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint, poll_every_s=60.0)
    made.ring.add(BLOCKHASH, 1050)
    signature = made.sign(swap()).signature
    async with running(made.run()):
        made.watch(signature)
        await node_a.until(lambda: ("signature", signature) in node_a.subscribed())
        await node_a.notify_signature(signature, SLIPPAGE, slot=1002)
        seen = await heard.next(TxSighting)
        assert (seen.slot, seen.commitment, seen.error_code) == (1002, "processed", 6036)
        await node_a.change(token_account(ata(USDC), USDC, WALLET, 3), slot=1003)
        await heard.until(lambda: 3 in [e.raw for e in heard.of(TokenBalance)])
        assert node_a.connections == 1


async def test_polling_sees_what_the_subscription_missed_level_by_level(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint)
    made.ring.add(BLOCKHASH, 1050)
    signature = made.sign(swap()).signature
    status: dict[str, Any] = {"slot": 1001, "confirmations": 0, "err": None,
                              "confirmationStatus": "processed"}  # fmt: skip
    async with running(made.run()):
        made.watch(signature)
        node_a.statuses[signature] = status
        for level in ("processed", "confirmed", "finalized"):
            node_a.statuses[signature] = status | {"confirmationStatus": level}
            await heard.until(lambda: heard.of(TxSighting) and
                              heard.of(TxSighting)[-1].commitment == level)  # fmt: skip  # noqa: B023
        await node_a.notify_signature(signature, None, slot=1001)
        polls = sum(m == "getSignatureStatuses" for m, _ in node_a.calls)
        await node_a.change(token_account(ata(USDC), USDC, WALLET, 3), slot=1003)
        await heard.until(lambda: 3 in [e.raw for e in heard.of(TokenBalance)])
        assert [e.commitment for e in heard.of(TxSighting)] == [
            "processed", "confirmed", "finalized",
        ]  # fmt: skip
        assert sum(m == "getSignatureStatuses" for m, _ in node_a.calls) == polls


# ----------------------------------------------------------------- evidence


async def test_statuses_name_provider_and_the_height_read_after(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint, node_b.endpoint)
    node_b.statuses["S"] = {"slot": 990, "confirmations": None, "err": SLIPPAGE}
    first, second = await made.statuses("S", commitment="finalized")
    assert (first.endpoint, first.provider, first.height) == ("a", "provider a", 868)
    assert first.sighting is None
    assert second.sighting is not None
    assert (second.sighting.commitment, second.sighting.error_code) == ("finalized", 6036)
    methods = [method for method, _ in node_a.calls]
    assert methods == ["getSignatureStatuses", "getBlockHeight", "getSlot"]
    assert node_a.calls[0][1][1] == {"searchTransactionHistory": True}


async def test_an_unreachable_or_mixed_endpoint_proves_nothing(
    transport: SocketTransport, heard: Heard, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    made = trading(transport, heard, node_a.endpoint, node_b.endpoint)
    node_a.http_status["getBlockHeight"] = 500

    def from_a_node_far_ahead(_params: list[Any]) -> int:
        return 2000

    node_b._getSlot = from_a_node_far_ahead  # type: ignore[method-assign]
    assert await made.statuses("S", commitment="finalized") == []


def record(raw: bytes, err: Any = None, *, with_owner: bool = True) -> dict[str, Any]:
    keys = [str(k) for k in VersionedTransaction.from_bytes(raw).message.account_keys]

    def row(address: str, mint: str, owner: str, amount: int) -> dict[str, Any]:
        made: dict[str, Any] = {
            "accountIndex": keys.index(address),
            "mint": mint,
            "uiTokenAmount": {"amount": str(amount), "decimals": 6, "uiAmount": 0.1},
        }
        return made | ({"owner": owner} if with_owner else {})

    pool = builders.whirlpool()
    return {
        "slot": 1001,
        "blockTime": 1_700_000_000,
        "transaction": [base64.b64encode(raw).decode(), "base64"],
        "meta": {
            "err": err,
            "fee": 7_000,
            "preBalances": [1],
            "postBalances": [1],
            "preTokenBalances": [
                row(ata(WSOL), WSOL, WALLET, 2**63 + 5_000_000),
                row(pool.vault_a, WSOL, pool.address, 1),
            ],
            "postTokenBalances": [
                row(ata(WSOL), WSOL, WALLET, 2**63 + 4_000_000),
                row(ata(USDC), USDC, WALLET, 70_123),
                row(pool.vault_a, WSOL, pool.address, 1_000_001),
            ],
            "logMessages": [],
        },
    }


@pytest.mark.parametrize("with_owner", [True, False])
async def test_a_receipt_is_our_exact_change(
    desk: SolanaTrading, node_a: ScriptedNode, with_owner: bool
) -> None:
    signed = desk.sign(swap())
    assert await desk.receipt(signed.signature, commitment="confirmed") is None
    node_a.transactions[signed.signature] = record(signed.raw, with_owner=with_owner)
    receipt = await desk.receipt(signed.signature, commitment="finalized")
    assert receipt is not None
    assert receipt.deltas_raw == {WSOL: -1_000_000, USDC: 70_123}
    assert (receipt.fee_lamports, receipt.tip_lamports) == (7_000, 20_000)
    assert (receipt.slot, receipt.block_at_ns) == (1001, 1_700_000_000 * 10**9)
    assert (receipt.error, receipt.commitment) == (None, "finalized")
    method, params = node_a.calls[-1]
    assert (method, params[1]["maxSupportedTransactionVersion"]) == ("getTransaction", 0)


async def test_a_failed_receipt_has_a_fee_and_no_change(
    desk: SolanaTrading, node_a: ScriptedNode
) -> None:
    signed = desk.sign(swap())
    node_a.transactions[signed.signature] = record(signed.raw, SLIPPAGE)
    receipt = await desk.receipt(signed.signature, commitment="confirmed")
    assert receipt is not None
    assert (receipt.error_code, receipt.deltas_raw, receipt.tip_lamports) == (6036, {}, 0)
    assert receipt.fee_lamports == 7_000


@pytest.mark.parametrize(
    ("err", "said", "failure"),
    [
        (SLIPPAGE, ["Program log: AnchorError", "custom program error: 0x1794"], "program_error"),
        (
            {"InstructionError": [2, "ProgramFailedToComplete"]},
            ["Program whirL failed: exceeded CUs meter at BPF instruction"],
            "compute_exceeded",
        ),
        ({"InstructionError": [2, "ComputationalBudgetExceeded"]}, None, "compute_exceeded"),
        # A program that panics fails by the same word; only the log tells.
        ({"InstructionError": [2, "ProgramFailedToComplete"]}, ["panicked"], "program_error"),
        (None, ["Program log: exceeded CUs meter"], ""),
    ],
)
async def test_a_swap_that_ran_out_of_units_is_told_from_every_other_failure(
    desk: SolanaTrading, node_a: ScriptedNode, err: Any, said: list[str] | None, failure: str
) -> None:
    signed = desk.sign(swap())
    written = record(signed.raw, err)
    written["meta"]["logMessages"] = said
    node_a.transactions[signed.signature] = written
    receipt = await desk.receipt(signed.signature, commitment="confirmed")
    assert receipt is not None
    assert receipt.failure == failure


async def test_a_record_of_another_transaction_is_no_receipt(
    desk: SolanaTrading, node_a: ScriptedNode
) -> None:
    signed = desk.sign(swap())
    node_a.transactions[signed.signature] = record(desk.sign(swap(amount_raw=5)).raw)
    with pytest.raises(QueryFailed, match="of another"):
        await desk.receipt(signed.signature, commitment="confirmed")


async def test_an_altered_or_undecodable_record_is_no_receipt(
    desk: SolanaTrading, node_a: ScriptedNode
) -> None:
    signed = desk.sign(swap())
    amount, more = (n.to_bytes(8, "little") for n in (1_000_000, 9_000_000))
    altered = signed.raw.replace(amount, more)
    assert altered != signed.raw
    for raw, reason in ((altered, "altered"), (b"\x01" * 70, "decodable")):
        made = record(signed.raw)
        made["transaction"][0] = base64.b64encode(raw).decode()
        node_a.transactions[signed.signature] = made
        with pytest.raises(QueryFailed, match=reason):
            await desk.receipt(signed.signature, commitment="confirmed")


async def test_balances_are_read_at_one_slot(desk: SolanaTrading, node_a: ScriptedNode) -> None:
    node_a.put(
        [
            token_account(ata(USDC), USDC, WALLET, 2**63),
            RawAccount(WALLET, builders.SYSTEM, 11, b""),
        ]
    )
    assert await desk.balances() == {WSOL: 0, USDC: 2**63, "SOL": 11}
    node_a.put([token_account(ata(USDC), USDC, key("thief"), 5)])
    with pytest.raises(QueryFailed, match="holds"):
        await desk.balances()


# ------------------------------------------------------- the real token program


def test_the_real_token_program_agrees_on_our_account_and_its_bytes() -> None:
    svm = LiteSVM()
    svm.airdrop(KEYPAIR.pubkey(), 10_000_000_000)
    mint = Keypair.from_seed(bytes(32))
    program = Pubkey.from_string(IDS.token)
    address = Pubkey.from_string(associated_token_address(WALLET, str(mint.pubkey())))
    instructions = [
        create_account(
            CreateAccountParams(
                from_pubkey=KEYPAIR.pubkey(), to_pubkey=mint.pubkey(), space=82, owner=program,
                lamports=svm.minimum_balance_for_rent_exemption(82),
            )
        ),
        initialize_mint2(
            InitializeMintParams(
                decimals=6, program_id=program, mint=mint.pubkey(), mint_authority=KEYPAIR.pubkey()
            )
        ),
        create_idempotent_associated_token_account(
            KEYPAIR.pubkey(), KEYPAIR.pubkey(), mint.pubkey()
        ),
        mint_to(
            MintToParams(
                program_id=program, mint=mint.pubkey(), dest=address,
                mint_authority=KEYPAIR.pubkey(), amount=123_456_789,
            )
        ),
    ]  # fmt: skip
    message = MessageV0.try_compile(
        KEYPAIR.pubkey(), instructions, [], svm.latest_blockhash() or Hash.default()
    )
    result = svm.send_transaction(VersionedTransaction(message, [KEYPAIR, mint]))
    account = svm.get_account(address)
    assert account is not None, result
    raw = RawAccount(str(address), str(account.owner), account.lamports, bytes(account.data))
    token = decode_token_account(raw, program=IDS.token)
    assert (token.mint, token.owner, token.amount_raw) == (
        str(mint.pubkey()), WALLET, 123_456_789,
    )  # fmt: skip
