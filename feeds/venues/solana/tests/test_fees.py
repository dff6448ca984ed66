"""What landing costs: percentiles of what the nodes tell, and a second opinion."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from arbsite.clock import ManualClock, seeded_random
from arbsite.errors import QueryFailed
from feeds.venues.base import LandingFee
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.fees import FeeGauge
from feeds.venues.solana.rpc import SolanaRpc
from feeds.venues.solana.tests.builders import key
from feeds.venues.solana.tests.node import Refusal, ScriptedNode

POOL = key("pool")


def gauge(transport: SocketTransport, node: ScriptedNode, *, provider: str = "p") -> FeeGauge:
    endpoint = msgspec.structs.replace(node.endpoint, provider=provider)
    rpc = SolanaRpc(
        transport, (endpoint,), clock=ManualClock(), rng=seeded_random(1), timeout_s=0.3
    )
    return FeeGauge(rpc)


def told(node: ScriptedNode, fees: list[int]) -> None:
    def answer(params: list[Any]) -> Any:
        rows = [{"slot": n, "prioritizationFee": fee} for n, fee in enumerate(fees)]
        return rows[::-1]  # nodes do not promise an order

    node._getRecentPrioritizationFees = answer  # type: ignore[method-assign]


async def test_the_price_is_of_the_last_slots_and_the_usual_one_of_all(
    transport: SocketTransport, node_a: ScriptedNode
) -> None:
    told(node_a, [1_000] * 130 + [0, 9_000] * 10)
    found = await gauge(transport, node_a).read({POOL: (POOL, key("vault"))})
    assert found == {POOL: LandingFee(price=9_000, usual=1_000)}
    assert node_a.calls == [("getRecentPrioritizationFees", [[POOL, key("vault")]])]


async def test_a_helius_endpoint_is_asked_too_and_the_dearer_word_counts(
    transport: SocketTransport, node_a: ScriptedNode
) -> None:
    told(node_a, [2_000] * 30)
    node_a._getPriorityFeeEstimate = lambda _: {"priorityFeeEstimate": 5_400.7}  # type: ignore[attr-defined]
    found = await gauge(transport, node_a, provider="helius").read({POOL: (POOL,)})
    assert found[POOL] == LandingFee(price=5_400, usual=2_000)


@pytest.mark.parametrize("answer", [{"priorityFeeEstimate": "much"}, {}, None])
async def test_an_estimate_that_cannot_be_read_leaves_the_chain_s_own_figures(
    transport: SocketTransport, node_a: ScriptedNode, answer: Any
) -> None:
    told(node_a, [2_000] * 30)
    node_a._getPriorityFeeEstimate = lambda _: answer  # type: ignore[attr-defined]
    asked = gauge(transport, node_a, provider="helius")
    assert (await asked.read({POOL: (POOL,)}))[POOL].price == 2_000
    assert asked.refused == 1


async def test_no_answer_is_no_price(transport: SocketTransport, node_a: ScriptedNode) -> None:
    node_a.refuse["getRecentPrioritizationFees"] = Refusal(-32005)
    with pytest.raises(QueryFailed):
        await gauge(transport, node_a).read({POOL: (POOL,)})
