"""Shapes and refusals of the two nodes, through real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from arbsite.clock import seeded_random
from feeds.market.clmm import arrays_for_swap
from feeds.sim import seeding
from feeds.sim.hosting import PipeTransport, serve
from feeds.sim.kraken.latency import NO_LATENCY
from feeds.sim.solana.server import SolanaServer
from feeds.sim.solana.view import NodeView
from feeds.sim.tests.solana.chain_bench import OWNER, Bench, signed_swap
from feeds.venues.solana import layouts
from feeds.venues.solana.accounts import RawAccount

SOL, JUP, WIF = (seeding.market_of(asset) for asset in ("SOL", "JUP", "WIF"))


class Nodes:
    """A bench with both nodes on it."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.views = [
            NodeView("sim-a", self.bench.chain, self.bench.schedule, self.bench.faults),
            NodeView(
                "sim-b", self.bench.chain, self.bench.schedule, self.bench.faults,
                delay_ms=25.0, is_faulty=True,
            ),
        ]  # fmt: skip
        self.servers = [
            SolanaServer(view, self.bench.faults, seeded_random(view.label), NO_LATENCY)
            for view in self.views
        ]

    def run(self, ms: float) -> None:
        self.bench.schedule.run_until(self.bench.schedule.now_ns + int(ms * 1e6))

    def slots(self, count: int) -> None:
        """Run slots and let both nodes hear of the last."""
        self.bench.slots(count)
        self.run(200)

    async def call(self, method: str, *params, node: int = 0):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        status, answer, _ = await self.servers[node].http("POST", "/", {}, body.encode())
        assert status == 200
        return json.loads(answer)

    async def result(self, method: str, *params, node: int = 0):
        answer = await self.call(method, *params, node=node)
        return answer["result"]

    def swap(self, **terms) -> bytes:
        pool = self.bench.chain.bank.pool(SOL.spec.pool)
        threshold = terms.pop("threshold", 0)
        return signed_swap(
            self.bench, SOL, terms.pop("amount", 10**9), threshold, exact_in=True, a_to_b=True,
            starts=arrays_for_swap(pool, True), **terms,
        )  # fmt: skip

    async def send(self, raw: bytes, **config):
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0} | config
        return await self.call("sendTransaction", base64.b64encode(raw).decode(), options)


def raw_account(address: str, value: dict) -> RawAccount:
    data = base64.b64decode(value["data"][0])
    assert value["data"][1] == "base64"
    assert value["space"] == len(data)
    return RawAccount(address, value["owner"], value["lamports"], data)


PROCESSED = {"commitment": "processed", "encoding": "base64"}


async def test_accounts_are_served_in_the_real_layouts_from_one_slot():
    nodes = Nodes()
    nodes.slots(3)
    bank = nodes.bench.chain.bank
    for market in (SOL, WIF):
        pool = bank.pool(market.spec.pool)
        starts = arrays_for_swap(pool, True)
        wanted = [pool.address, *(seeding.tick_array_of(pool.address, s) for s in starts)]
        found = await nodes.result("getMultipleAccounts", wanted, PROCESSED)
        assert found["context"]["slot"] == nodes.bench.chain.slot
        decoded = layouts.decode_whirlpool(
            raw_account(pool.address, found["value"][0]), program=seeding.WHIRLPOOL_PROGRAM
        )
        assert decoded.sqrt_price == pool.sqrt_price
        assert decoded.liquidity == pool.liquidity > 0
        for start, address, value in zip(starts, wanted[1:], found["value"][1:], strict=True):
            if value is None:
                assert not bank.array(pool.address, start).exists
                continue
            array = layouts.decode_tick_array(
                raw_account(address, value), program=seeding.WHIRLPOOL_PROGRAM,
                whirlpool=pool.address, tick_spacing=pool.tick_spacing,
            )  # fmt: skip
            assert array == bank.array(pool.address, start)
    oracle = await nodes.result("getAccountInfo", seeding.oracle_of(SOL.spec.pool), PROCESSED)
    assert oracle["value"] is None


async def test_a_cpmm_pool_assembles_from_its_four_accounts():
    nodes = Nodes()
    nodes.slots(1)
    pool = nodes.bench.chain.bank.pool(JUP.spec.pool)
    keys = [pool.address, pool.amm_config, pool.vault_a, pool.vault_b]
    found = await nodes.result("getMultipleAccounts", keys, PROCESSED)
    raws = [raw_account(*pair) for pair in zip(keys, found["value"], strict=True)]
    assembled = layouts.assemble_cpmm(
        layouts.decode_cpmm_state(raws[0], program=seeding.CPMM_PROGRAM),
        layouts.decode_amm_config(raws[1], program=seeding.CPMM_PROGRAM),
        *(layouts.decode_token_account(raw, program=seeding.SPL_PROGRAM) for raw in raws[2:]),
        slot=pool.slot,
    )
    assert assembled == pool


async def test_a_swap_from_send_to_finalized():
    nodes = Nodes()
    nodes.slots(1)
    raw = nodes.swap(cu_price=100_000, tip=3_000)
    signature = (await nodes.send(raw))["result"]
    assert (await nodes.result("getSignatureStatuses", [signature]))["value"] == [None]
    nodes.slots(1)
    status = (await nodes.result("getSignatureStatuses", [signature]))["value"][0]
    assert status["confirmationStatus"] == "processed"
    assert status["err"] is None
    confirmed = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    assert await nodes.result("getTransaction", signature, confirmed) is None
    nodes.slots(2)
    record = await nodes.result("getTransaction", signature, confirmed)
    assert record["meta"]["fee"] == 25_000
    assert record["version"] == 0
    rows = {
        (row["mint"], row["owner"]): int(row["uiTokenAmount"]["amount"])
        for row in record["meta"]["preTokenBalances"]
    }
    after = {
        (row["mint"], row["owner"]): int(row["uiTokenAmount"]["amount"])
        for row in record["meta"]["postTokenBalances"]
    }
    assert rows[seeding.WSOL_MINT, OWNER] - after[seeding.WSOL_MINT, OWNER] == 10**9
    gained = after[seeding.USDC_MINT, OWNER] - rows[seeding.USDC_MINT, OWNER]
    events = layouts.traded_from_logs(record["meta"]["logMessages"])
    assert [event.amount_out for event in events] == [gained]
    payer = record["transaction"]["message"]["accountKeys"].index(OWNER)
    paid = record["meta"]["preBalances"][payer] - record["meta"]["postBalances"][payer]
    assert paid == 25_000 + 3_000
    nodes.slots(30)
    status = (await nodes.result("getSignatureStatuses", [signature]))["value"][0]
    assert (status["confirmationStatus"], status["confirmations"]) == ("finalized", None)
    nodes.slots(150)
    assert (await nodes.result("getSignatureStatuses", [signature]))["value"] == [None]
    history = {"searchTransactionHistory": True}
    assert (await nodes.result("getSignatureStatuses", [signature], history))["value"][0]["slot"]


async def test_blockhashes_heights_and_slots_fit_each_other():
    nodes = Nodes()
    nodes.slots(40)
    for level, lag in (("processed", 0), ("confirmed", 2), ("finalized", 32)):
        options = {"commitment": level}
        slot = await nodes.result("getSlot", options)
        assert slot == nodes.bench.chain.slot - lag
        newest = await nodes.result("getLatestBlockhash", options)
        height = await nodes.result("getBlockHeight", options)
        assert newest["context"]["slot"] == slot
        assert newest["value"]["lastValidBlockHeight"] == height + 150
        valid = await nodes.result("isBlockhashValid", newest["value"]["blockhash"], options)
        assert valid["value"] is True
    fees = await nodes.result("getRecentPrioritizationFees", [SOL.spec.pool])
    assert len(fees) == 41
    assert any(row["prioritizationFee"] for row in fees)
    balance = await nodes.result("getBalance", OWNER, {"commitment": "processed"})
    assert balance["value"] == seeding.WALLET_OPENING_LAMPORTS
    account = seeding.token_account_of(OWNER, seeding.USDC_MINT)
    token = await nodes.result("getTokenAccountBalance", account, {"commitment": "processed"})
    assert token["value"]["amount"] == str(seeding.WALLET_OPENING_USDC_RAW)
    assert await nodes.result("getHealth") == "ok"


async def test_refusals_carry_the_nodes_codes():
    nodes = Nodes()
    nodes.slots(2)
    raw = nodes.swap()
    forged = bytes([raw[0], raw[1] ^ 1]) + raw[2:]
    assert (await nodes.send(forged))["error"]["code"] == -32003
    assert (await nodes.send(b"junk"))["error"]["code"] == -32602
    ahead = {"commitment": "processed", "minContextSlot": nodes.bench.chain.slot + 1}
    late = await nodes.call("getAccountInfo", SOL.spec.pool, ahead | {"encoding": "base64"})
    assert late["error"]["code"] == -32016
    assert late["error"]["data"] == {"contextSlot": nodes.bench.chain.slot}
    assert (await nodes.call("getNothing"))["error"]["code"] == -32601
    status, answer, _ = await nodes.servers[0].http("POST", "/", {}, b"{")
    assert (status, json.loads(answer)["error"]["code"]) == (200, -32700)


async def test_preflight_and_simulation_tell_the_failure_before_it_costs_anything():
    nodes = Nodes()
    nodes.slots(1)
    raw = nodes.swap(threshold=2**63)
    refused = await nodes.send(raw, skipPreflight=False)
    assert refused["error"]["code"] == -32002
    assert refused["error"]["data"]["err"] == {"InstructionError": [2, {"Custom": 6036}]}
    assert "custom program error: 0x1794" in refused["error"]["message"]
    encoded = base64.b64encode(nodes.swap()).decode()
    fine = await nodes.result("simulateTransaction", encoded, {"encoding": "base64"})
    assert fine["value"]["err"] is None
    assert fine["value"]["unitsConsumed"] > 40_000
    nodes.slots(1)
    assert nodes.bench.chain.landed_count == 0
    stale = nodes.swap(blockhash=seeding.address_of("no block"))
    refused = await nodes.send(stale, skipPreflight=False)
    assert refused["error"]["data"]["err"] == "BlockhashNotFound"


async def test_node_b_lags_and_disagrees_on_demand():
    nodes = Nodes()
    nodes.slots(5)
    nodes.bench.faults.set("solana.node_b_lag_slots", 3)
    nodes.slots(5)
    levels = [await nodes.result("getSlot", {"commitment": "processed"}, node=n) for n in (0, 1)]
    assert levels[0] - levels[1] == 3
    nodes.bench.faults.set("solana.node_b_lag_slots", 0)
    await nodes.send(nodes.swap(amount=10**10))
    nodes.slots(1)

    async def both():
        found = [
            await nodes.result("getAccountInfo", SOL.spec.pool, PROCESSED, node=n) for n in (0, 1)
        ]
        assert found[0]["context"]["slot"] == found[1]["context"]["slot"]
        return found[0]["value"] == found[1]["value"]

    assert await both()
    nodes.bench.faults.set("solana.node_b_disagree", True)
    assert not await both()


async def test_http_faults_act():
    nodes = Nodes()
    nodes.bench.faults.set("solana.rpc_429_p", 1.0)
    assert (await nodes.servers[0].http("POST", "/", {}, b"{}"))[0] == 429
    nodes.bench.faults.reset()
    nodes.bench.faults.set("solana.land_p", 1.0)
    nodes.bench.faults.set("solana.drop_tx_p", 1.0)
    signature = (await nodes.send(nodes.swap()))["result"]
    nodes.slots(2)
    assert nodes.bench.chain.record(signature) is None
    nodes.bench.faults.set("solana.drop_tx_p", 0.0)
    nodes.bench.faults.set("solana.fail_next", True)
    signature = (await nodes.send(nodes.swap()))["result"]
    nodes.slots(1)
    error = {"InstructionError": [2, {"Custom": 6036}]}
    assert nodes.bench.chain.record(signature).meta.error == error
    nodes.bench.faults.set("solana.stall", True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(nodes.call("getHealth"), 0.05)
    nodes.bench.faults.set("solana.stall", False)
    assert await nodes.result("getHealth") == "ok"
    nodes.bench.faults.set("solana.rpc_timeout_p", 1.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(nodes.call("getHealth"), 0.05)


class Client:
    """A plain pub/sub client: acks and notifications in arrival order."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._notices: list[dict] = []

    async def request(self, method: str, *params):
        await self._ws.send_json({"jsonrpc": "2.0", "id": 9, "method": method, "params": params})
        while True:
            frame = await self._ws.receive_json(timeout=5)
            if frame.get("id") == 9:
                return frame
            self._notices.append(frame)

    async def notice(self) -> tuple[str, dict]:
        frame = self._notices.pop(0) if self._notices else await self._ws.receive_json(timeout=5)
        return frame["method"], frame["params"]


@asynccontextmanager
async def socket(nodes: Nodes, node: int = 0):
    host = await serve([("/", nodes.servers[node])])
    try:
        url = f"http://127.0.0.1:{host.port}/"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
            yield Client(ws)
    finally:
        await host.stop()


async def test_pubsub_over_a_real_socket():
    nodes = Nodes()
    nodes.slots(1)
    async with socket(nodes) as client:
        slots = (await client.request("slotSubscribe"))["result"]
        account = (await client.request("accountSubscribe", SOL.spec.pool, PROCESSED))["result"]
        raw = nodes.swap(threshold=2**63)
        good = nodes.swap(amount=2 * 10**9)
        failing = (await nodes.send(raw))["result"]
        filled = (await nodes.send(good))["result"]
        watched = {}
        for signature in (failing, filled):
            options = {"commitment": "processed"}
            answer = await client.request("signatureSubscribe", signature, options)
            watched[answer["result"]] = signature
        nodes.slots(1)
        slot = nodes.bench.chain.slot
        found = [await client.notice() for _ in range(4)]
        assert found[0] == (
            "slotNotification",
            {
                "result": {"parent": slot - 1, "root": slot - 31, "slot": slot},
                "subscription": slots,
            },
        )
        kind, params = found[1]
        assert (kind, params["subscription"]) == ("accountNotification", account)
        assert params["result"]["context"]["slot"] == slot
        decoded = layouts.decode_whirlpool(
            raw_account(SOL.spec.pool, params["result"]["value"]),
            program=seeding.WHIRLPOOL_PROGRAM,
        )
        assert decoded.sqrt_price == nodes.bench.chain.bank.pool(SOL.spec.pool).sqrt_price
        errors = {watched[p["subscription"]]: p["result"]["value"]["err"] for _, p in found[2:]}
        assert errors == {failing: {"InstructionError": [2, {"Custom": 6036}]}, filled: None}
        assert (await client.request("accountUnsubscribe", account))["result"] is True
        # A signature that landed before the subscription stays silent; slots go on.
        await client.request("signatureSubscribe", filled, {"commitment": "processed"})
        nodes.slots(1)
        assert (await client.notice())[0] == "slotNotification"
        nodes.slots(1)
        assert (await client.notice())[0] == "slotNotification"
        assert (await client.request("voteSubscribe"))["error"]["code"] == -32601
        nodes.bench.faults.set("solana.drop_sockets", True)
        with pytest.raises(TypeError):  # aiohttp: no more text frames, the socket is cut
            await client.notice()


async def test_a_fork_is_told_to_account_subscribers():
    nodes = Nodes()
    nodes.slots(1)
    async with socket(nodes) as client:
        await client.request("accountSubscribe", SOL.spec.pool, PROCESSED)
        before = nodes.bench.chain.bank.pool(SOL.spec.pool).sqrt_price
        await nodes.send(nodes.swap())
        nodes.slots(1)
        _, changed = await client.notice()
        nodes.bench.faults.set("solana.land_p", 0.0)
        nodes.bench.faults.set("solana.fork", True)
        nodes.slots(1)
        _, restored = await client.notice()
        assert restored["result"]["context"]["slot"] > changed["result"]["context"]["slot"]
        prices = [
            layouts.decode_whirlpool(
                raw_account(SOL.spec.pool, each["result"]["value"]),
                program=seeding.WHIRLPOOL_PROGRAM,
            ).sqrt_price
            for each in (changed, restored)
        ]
        assert prices[0] != before
        assert prices[1] == before


async def test_the_same_server_speaks_through_pipes():
    nodes = Nodes()
    transport = PipeTransport({"sim-a": [("/", nodes.servers[0])]})
    connection = await transport.connect("ws://sim-a/")
    await connection.send('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}')
    assert json.loads(await connection.recv())["result"] == 1
    nodes.slots(1)
    assert json.loads(await connection.recv())["method"] == "slotNotification"
    await connection.close()
    await transport.close()
