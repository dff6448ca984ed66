"""The RPC client against nodes that fail in every way nodes fail."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from arbsite.clock import ManualClock, seeded_random
from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.rpc import SolanaRpc, priority_fee_percentile
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.rpc_wire import PriorityFee
from feeds.venues.solana.tests.builders import key, token_account
from feeds.venues.solana.tests.node import BLOCKHASH, Refusal, ScriptedNode

WHO = key("who")


def client(
    transport: SocketTransport, *nodes: ScriptedNode, clock: ManualClock | None = None
) -> SolanaRpc:
    return SolanaRpc(
        transport,
        tuple(node.endpoint for node in nodes),
        clock=clock or ManualClock(),
        rng=seeded_random(1),
        timeout_s=0.3,
    )


def asked(node: ScriptedNode) -> int:
    return len(node.calls)


async def test_reads_return_what_the_node_says(
    transport: SocketTransport, node_a: ScriptedNode
) -> None:
    rpc = client(transport, node_a)
    account = token_account(WHO, key("mint"), key("owner"), 42)
    node_a.put([account])
    read = await rpc.multiple_accounts([WHO, key("nobody")])
    assert (read.endpoint, read.slot, read.accounts) == ("a", 1000, (account, None))
    assert await rpc.slot() == 999
    assert await rpc.block_height("finalized") == 868
    latest = await rpc.latest_blockhash()
    assert (latest.blockhash, latest.last_valid_block_height) == (BLOCKHASH, 1050)
    assert await rpc.token_account_balance(WHO) == 2**64 - 1
    assert await rpc.balance(WHO) == 5_000_000_000
    assert (await rpc.simulate_transaction(b"x")).units_consumed == 63_000
    fees = await rpc.recent_prioritization_fees([WHO])
    assert priority_fee_percentile(fees, 0.75) == 700
    assert node_a.calls[0] == (
        "getMultipleAccounts",
        [[WHO, key("nobody")], {"encoding": "base64", "commitment": "processed"}],
    )


def test_percentile_ignores_free_slots() -> None:
    free = [PriorityFee(n, 0) for n in range(9)]
    assert priority_fee_percentile(free, 0.9) == 0
    assert priority_fee_percentile([*free, PriorityFee(9, 5)], 0.1) == 5
    assert priority_fee_percentile([PriorityFee(0, 1), PriorityFee(1, 2)], 1.0) == 2


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_html_error_fails_over(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, status: int
) -> None:
    rpc = client(transport, node_a, node_b)
    node_a.http_status["getSlot"] = status
    node_b.slot = 5000
    assert await rpc.slot() == 4999
    assert rpc.counters.failovers == 1
    # The failed one cools down: the next read does not try it first.
    assert await rpc.slot() == 4999
    assert (asked(node_a), asked(node_b)) == (1, 2)


async def test_a_throttled_endpoint_is_left_alone_until_its_time(
    transport: SocketTransport, node_a: ScriptedNode
) -> None:
    clock = ManualClock()
    rpc = client(transport, node_a, clock=clock)
    node_a.http_status["getSlot"] = 429
    with pytest.raises(QueryFailed, match="429"):
        await rpc.slot()
    with pytest.raises(QueryFailed, match="throttled"):
        await rpc.slot()
    assert asked(node_a) == 1
    node_a.http_status.clear()
    clock.advance_ns(300_000_000)
    assert await rpc.slot() == 999
    assert rpc.counters.throttled == 1


async def test_a_stalled_endpoint_times_out_and_fails_over(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    rpc = client(transport, node_a, node_b)
    node_a.stall["getSlot"] = asyncio.Event()
    assert await rpc.slot() == 999
    assert asked(node_b) == 1


async def test_the_freshest_endpoint_is_asked_first(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    rpc = client(transport, node_a, node_b)
    rpc.note_slot("a", 10)
    rpc.note_slot("b", 11)
    await rpc.slot()
    assert (asked(node_a), asked(node_b)) == (0, 1)


async def test_an_older_bank_is_refused_even_when_the_node_is_not(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode
) -> None:
    rpc = client(transport, node_a, node_b)
    node_a.ignores_min_context = True
    node_b.slot = 1200
    read = await rpc.multiple_accounts([WHO], min_context_slot=1100)
    assert (read.endpoint, read.slot) == ("b", 1200)
    node_b.slot = 1000
    with pytest.raises(QueryFailed, match="-32016"):
        await rpc.multiple_accounts([WHO], min_context_slot=1100)


async def test_failures_never_tell_the_url(
    transport: SocketTransport, node_a: ScriptedNode
) -> None:
    gone = RpcEndpoint("gone", "p", "http://127.0.0.1:1/?api-key=sesame", "ws://127.0.0.1:1/")
    rpc = SolanaRpc(transport, (gone,), clock=ManualClock(), rng=seeded_random(1))
    with pytest.raises(QueryFailed) as caught:
        await rpc.slot()
    assert "sesame" not in str(caught.value)
    assert "no connection" in str(caught.value)


async def test_sends_say_exactly_what_happened(
    transport: SocketTransport, node_a: ScriptedNode
) -> None:
    rpc = client(transport, node_a)
    assert (await rpc.send_transaction(b"tx", node_a.endpoint)).verdict == "accepted"
    assert node_a.sent == [b"tx"]
    assert node_a.calls[0][1][1] == {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
    for code, verdict in ((-32002, "refused"), (-32003, "refused"), (-32005, "unknown")):
        node_a.refuse["sendTransaction"] = Refusal(code)
        assert (await rpc.send_transaction(b"tx", node_a.endpoint)).verdict == verdict
    node_a.refuse.clear()
    for status in (429, 500):
        node_a.http_status["sendTransaction"] = status
        assert (await rpc.send_transaction(b"tx", node_a.endpoint)).verdict == "unknown"
    closed = RpcEndpoint("gone", "p", "http://127.0.0.1:1/", "ws://127.0.0.1:1/")
    rpc = SolanaRpc(transport, (closed,), clock=ManualClock(), rng=seeded_random(1))
    assert (await rpc.send_transaction(b"tx", closed)).verdict == "not_sent"


def test_error_codes_come_from_custom_instruction_errors_only() -> None:
    slippage = {"InstructionError": [2, {"Custom": 6036}]}
    assert rpc_wire.custom_code(slippage) == 6036
    assert rpc_wire.error_text(slippage) == '{"InstructionError":[2,{"Custom":6036}]}'
    for other in (None, "AccountInUse", {"InstructionError": [0, "InvalidArgument"]}, [], 7):
        assert rpc_wire.custom_code(other) is None
    assert rpc_wire.error_text(None) is None


def test_hostile_json_raises_only_feed_corrupt() -> None:
    rng = seeded_random(5)
    account = {"lamports": 1, "data": ["AAAA", "base64"], "owner": WHO, "rentEpoch": 2**64 - 1}
    result = {"context": {"slot": 3}, "value": account}
    samples = [
        json.dumps({"jsonrpc": "2.0", "method": "accountNotification",
                    "params": {"subscription": 7, "result": result}}),
        json.dumps({"jsonrpc": "2.0", "id": 4, "result": result}),
        '{"id":1,"result":' + "[" * 5000 + "]" * 5000 + "}",
        '{"id":1e309}', '{"params":{"subscription":NaN}}', '{"id":' + "9" * 5000 + "}", "[]", "",
        '{"method":"\\ud800","params":{}}',
    ]  # fmt: skip
    pieces = [b'"', b"{", b"]", b"-1", b"1e999", b"\xff\xfe", b"null", b"\x00", b"9" * 40, b"\\u"]
    refused = 0
    for _ in range(2500):
        text = bytearray(rng.choice(samples).encode())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randrange(6)] = rng.choice(pieces)
        try:
            frame = rpc_wire.frame(bytes(text))
            raw = rpc_wire.notification(frame.params).result if frame.method else frame.result
            found = rpc_wire.account_result(raw)
            rpc_wire.raw_account(WHO, found.value)
            rpc_wire.typed(raw, msgspec.Raw, "anything")
        except FeedCorrupt:
            refused += 1
    assert refused > 1500
