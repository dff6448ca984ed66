"""The feed over two scripted nodes on loopback: order, repair, doubt and recovery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from arbsite.clock import SystemClock, seeded_random
from feeds.market.events import (
    FeedProof,
    PoolInvalidated,
    PoolUpdated,
    SlotAdvanced,
    VenueStatus,
)
from feeds.market.pools import CpmmPool, TickArray, Whirlpool
from feeds.market.ticks import Tick
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.feed import SolanaFeed
from feeds.venues.solana.layouts import RawAccount
from feeds.venues.solana.programs import tick_array_address
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, key
from feeds.venues.solana.tests.node import Heard, Refusal, ScriptedNode, running

POOL = key("whirlpool")
L = builders.whirlpool().liquidity


def whirlpool_set(**changes: Any) -> dict[str, RawAccount]:
    pool = builders.whirlpool(**changes)
    arrays = builders.arrays_around(builders.whirlpool())
    return builders.whirlpool_accounts(pool, arrays)


def pool_at(tick: int, liquidity: int = L) -> RawAccount:
    return whirlpool_set(tick_current_index=tick, liquidity=liquidity)[POOL]


class Market(Heard):
    """The sink, with the questions these tests ask of it."""

    def states(self) -> list[PoolUpdated]:
        return self.of(PoolUpdated)

    async def state(self, **fields: Any) -> Any:
        """Wait until the newest published state has these fields."""

        def is_there() -> bool:
            found = self.states()
            return bool(found) and all(
                getattr(found[-1].state, name) == value for name, value in fields.items()
            )

        await self.until(is_there)
        return self.states()[-1].state

    async def invalid(self, reason: str) -> None:
        await self.until(lambda: any(reason in e.reason for e in self.of(PoolInvalidated)))


def feed(
    transport: SocketTransport, market: Market, *nodes: ScriptedNode, **options: Any
) -> SolanaFeed:
    settings: dict[str, Any] = {"resync_s": 60.0, "settle_s": 0.01, "retry_s": 0.02} | options
    kind = settings.pop("kind", "whirlpool")
    address = POOL if kind == "whirlpool" else key("cpmm")
    return SolanaFeed(
        transport,
        tuple(node.endpoint for node in nodes),
        [(address, kind)],
        clock=SystemClock(),
        rng=seeded_random(3),
        sink=market,
        **settings,
    )


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
async def one(
    transport: SocketTransport, node_a: ScriptedNode, market: Market
) -> AsyncIterator[SolanaFeed]:
    """A feed on node a that has published its first state at slot 1000."""
    node_a.put(whirlpool_set().values())
    made = feed(transport, market, node_a)
    async with running(made.run()):
        # One read learns the pool, one follows the subscriptions: then all is quiet.
        await market.until(lambda: len(market.states()) == 2)
        yield made


async def until_all_live(node: ScriptedNode) -> None:
    """Wait until every account of the pool is subscribed; what is told from now on counts."""
    await node.until(lambda: len(node.subscribed()) == 9)


def reads(node: ScriptedNode) -> int:
    return sum(method == "getMultipleAccounts" for method, _ in node.calls)


async def test_the_first_state_is_a_read_with_its_whole_window(
    one: SolanaFeed, market: Market
) -> None:
    state = market.states()[0].state
    assert isinstance(state, Whirlpool)
    assert [a.start_index for a in state.tick_arrays] == [
        -26400 + 352 * step for step in range(-3, 4)
    ]
    assert (state.liquidity, state.oracle) == (L, None)
    status = market.of(VenueStatus)[0]
    assert (status.venue, status.status) == ("solana", "online")


async def test_a_swap_is_published_at_its_slot_and_an_older_one_dropped(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    await node_a.change(pool_at(-26100))
    state = await market.state(slot=1001)
    assert state.tick_current_index == -26100
    await node_a.change(pool_at(-26147), slot=999)
    await node_a.change(pool_at(-26099), slot=1001)
    await market.state(slot=1001, tick_current_index=-26099)
    assert all(event.state.tick_current_index != -26147 for event in market.states()[1:][-2:])


async def test_slots_carry_lag_and_proof(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    advanced = await market.next(SlotAdvanced)
    assert (advanced.slot, advanced.lag_slots) == (1001, 0)
    await market.until(lambda: market.of(FeedProof))
    assert market.of(FeedProof)[0].scope == "*"


async def test_an_lp_change_is_read_at_one_slot(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    start = -26400
    array = TickArray(start, (Tick(start, 9, 9),))
    changed = builders.whirlpool_accounts(builders.whirlpool(), [array])
    address = tick_array_address(POOL, start, IDS)
    await node_a.tick(1002)
    node_a.put([pool_at(-26147, L + 9)])
    await node_a.change(changed[address])
    state = await market.state(slot=1002)
    assert state.liquidity == L + 9
    assert state.tick_arrays[3].ticks == (Tick(start, 9, 9),)
    assert one.counters.unsettled == 1
    asked = [params[1] for method, params in node_a.calls if method == "getMultipleAccounts"]
    assert asked[-1]["minContextSlot"] == 1002


async def test_the_window_follows_the_price(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1003)
    await node_a.change(pool_at(-26000))
    await market.until(lambda: market.states()[-1].state.tick_arrays[3].start_index == -26048)
    assert one.counters.recentred == 1
    fresh = tick_array_address(POOL, -26048 + 3 * 352, IDS)
    gone = tick_array_address(POOL, -26400 - 3 * 352, IDS)
    await node_a.until(lambda: ("account", fresh) in node_a.subscribed())
    await node_a.until(lambda: ("account", gone) not in node_a.subscribed())
    assert node_a.connections == 1


@pytest.mark.parametrize("damage", ["closed", "reowned", "resized"])
async def test_a_damaged_pool_account_is_unusable_until_read_well(
    one: SolanaFeed, market: Market, node_a: ScriptedNode, damage: str
) -> None:
    good = pool_at(-26100)
    bad = {
        "closed": RawAccount(POOL, builders.SYSTEM, 0, b""),
        "reowned": RawAccount(POOL, key("thief"), 1, good.data),
        "resized": RawAccount(POOL, good.owner, 1, good.data[:-1]),
    }[damage]
    await node_a.tick(1004)
    await node_a.change(bad)
    await market.invalid("whirlpool")
    count = len(market.states())
    before = reads(node_a)
    await node_a.until(lambda: reads(node_a) >= before + 3)
    assert len(market.states()) == count
    node_a.put([good])
    await market.state(tick_current_index=-26100)
    assert len(market.of(PoolInvalidated)) == 1


async def test_a_lost_socket_makes_pools_unusable_and_a_read_restores_them(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.drop_sockets()
    await market.invalid("no endpoint is connected")
    assert market.of(VenueStatus)[-1].status == "disconnected"
    node_a.put([pool_at(-26100)])
    await market.state(tick_current_index=-26100)
    assert market.of(VenueStatus)[-1].status == "online"


async def test_slot_gaps_ask_for_a_read_and_regressions_are_ignored(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    node_a.put([pool_at(-26100)])
    await node_a.tick(1030)
    await market.state(slot=1030, tick_current_index=-26100)
    await node_a.tick(1029)
    await node_a.tick(1031)
    await market.until(lambda: market.of(SlotAdvanced)[-1].slot == 1031)
    assert [e.slot for e in market.of(SlotAdvanced)] == [1001, 1030, 1031]
    assert (one.counters.slot_gaps, one.counters.slot_regressions) == (1, 1)


async def test_a_chain_that_starts_over_is_read_anew(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    await node_a.tick(10)
    await market.invalid("started over")
    await market.state(slot=10)


async def test_a_slot_from_the_far_future_is_not_believed(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    await node_a.change(pool_at(-26100), slot=10**15)
    await node_a.change(pool_at(-26090), slot=1001)
    await market.state(slot=1001, tick_current_index=-26090)


async def test_a_subscription_that_ends_silently_is_found_by_the_probe(
    transport: SocketTransport, node_a: ScriptedNode, market: Market
) -> None:
    node_a.put(whirlpool_set().values())
    made = feed(transport, market, node_a, resync_s=0.05)
    async with running(made.run()):
        await market.state(slot=1000)
        await until_all_live(node_a)
        await node_a.tick(1001)
        node_a.mute.add(POOL)
        await node_a.change(pool_at(-26100))
        # The probe alone keeps the picture right ...
        await market.state(tick_current_index=-26100)
        for slot in (1002, 1003, 1004):
            await node_a.tick(slot)
        # ... and the socket that owed the notification is replaced.
        await market.until(lambda: made.counters.silent_subscriptions == 1)
        node_a.mute.clear()
        await market.until(lambda: market.of(VenueStatus)[-1].status == "online"
                           and made.sockets["a"].counters.connects == 2)  # fmt: skip
        await node_a.tick(1005)
        await node_a.change(pool_at(-26090))
        await market.state(tick_current_index=-26090)


async def test_a_state_of_an_abandoned_slot_is_withdrawn_and_read_again(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    await node_a.change(pool_at(-26100))
    await market.state(slot=1001, tick_current_index=-26100)
    # The chain goes on without slot 1001; no node tells of what that took back.
    node_a.put([pool_at(-26147)])
    await node_a.tick(1002, parent=1000)
    await market.invalid("slot 1001 was abandoned")
    await market.state(slot=1002, tick_current_index=-26147)
    assert one.counters.abandoned == 1
    # A slot skipped before what we hold is nobody's loss.
    await node_a.tick(1004, parent=1002)
    await market.until(lambda: market.of(SlotAdvanced)[-1].slot == 1004)
    assert one.counters.abandoned == 1


async def test_a_parent_never_told_asks_for_a_read(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    node_a.put([pool_at(-26100)])
    await node_a.tick(1003, parent=1002)
    await market.state(slot=1003, tick_current_index=-26100)


async def test_a_lone_voice_moves_the_price_only_by_a_hair(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, market: Market
) -> None:
    made = await two(transport, node_a, node_b, market, settle_s=30.0)
    async with running(made.run()):
        await market.state(slot=1000)
        for node in (node_a, node_b):
            await until_all_live(node)
            await node.tick(1001)
        before = market.states()[-1].state
        await node_a.change(pool_at(-26100))
        await market.until(lambda: made.counters.held_back == 1)
        assert market.states()[-1].state == before
        await node_b.change(pool_at(-26100))
        await market.state(slot=1001, tick_current_index=-26100)
        assert made.counters.disagreements == 0


async def test_a_price_that_is_not_its_ticks_is_damage(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    await node_a.tick(1001)
    told = pool_at(-26100)
    damaged = bytearray(told.data)
    damaged[65 + 7] ^= 0x04
    node_a.put([told])
    await node_a.notify_account(msgspec.structs.replace(told, data=bytes(damaged)))
    await market.invalid("tick")
    await market.state(slot=1001, tick_current_index=-26100)


async def test_our_clock_is_held_against_a_blocks_time(
    transport: SocketTransport, node_a: ScriptedNode, market: Market
) -> None:
    node_a.put(whirlpool_set().values())
    made = feed(transport, market, node_a, resync_s=0.05)
    async with running(made.run()):
        await market.state(slot=1000)
        for slot in range(1001, 1020):
            await node_a.tick(slot)
        assert market.of(VenueStatus)[-1].clock_skew_ms is None
        node_a.clock_ahead_s = -30.0
        await market.until(lambda: market.of(VenueStatus)[-1].clock_skew_ms is not None)
        assert -31_600 < market.of(VenueStatus)[-1].clock_skew_ms < -28_400


async def two(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, market: Market, **o: Any
) -> SolanaFeed:
    for node in (node_a, node_b):
        node.put(whirlpool_set().values())
    return feed(transport, market, node_a, node_b, **o)


async def test_two_nodes_that_disagree_are_both_disbelieved_until_they_agree(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, market: Market
) -> None:
    made = await two(transport, node_a, node_b, market)
    async with running(made.run()):
        await market.state(slot=1000)
        for node in (node_a, node_b):
            await until_all_live(node)
            await node.tick(1001)
        await node_a.change(pool_at(-26100))
        await market.state(slot=1001, tick_current_index=-26100)
        await node_b.change(pool_at(-26090))
        for slot in (1002, 1003):
            for node in (node_a, node_b):
                await node.tick(slot)
        await market.invalid("endpoints disagree")
        count = len(market.states())
        await node_b.change(pool_at(-26080))
        before = reads(node_a)
        await node_a.until(lambda: reads(node_a) >= before + 3)
        assert len(market.states()) == count
        node_b.put([pool_at(-26100)])
        await market.state(slot=1003, tick_current_index=-26100)


async def test_reads_that_disagree_at_one_slot_are_disbelieved(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, market: Market
) -> None:
    made = await two(transport, node_a, node_b, market, resync_s=0.05)
    async with running(made.run()):
        await market.state(slot=1000)
        node_b.put([pool_at(-26100)])
        await market.invalid("endpoints disagree")
        # When one of the two is gone there is nobody left to disagree with.
        node_b.refuse["slotSubscribe"] = Refusal(-32000)
        await node_b.drop_sockets()
        count = len(market.states())
        await market.until(lambda: len(market.states()) > count)
        await market.state(tick_current_index=-26147)


async def test_the_first_node_to_tell_wins_and_a_lagging_one_changes_nothing(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, market: Market
) -> None:
    made = await two(transport, node_a, node_b, market)
    async with running(made.run()):
        await market.state(slot=1000)
        for node in (node_a, node_b):
            await until_all_live(node)
        await node_a.tick(1004)
        await node_a.change(pool_at(-26100))
        await node_b.tick(1001)
        await market.state(slot=1004, tick_current_index=-26100)
        await node_b.change(pool_at(-26120))
        await node_b.tick(1002)
        await market.until(lambda: len(market.of(SlotAdvanced)) >= 3)
        assert market.states()[-1].state.tick_current_index == -26100
        assert [(e.slot, e.lag_slots) for e in market.of(SlotAdvanced)] == [(1004, 0)] * 3
        node_a.refuse["slotSubscribe"] = Refusal(-32000)
        await node_a.drop_sockets()
        await node_a.until(lambda: node_a.connections == 2)
        await node_b.tick(1003)
        await market.until(lambda: len(market.of(SlotAdvanced)) >= 4)
        # What the lost node said still dates the one that is left.
        last = market.of(SlotAdvanced)[-1]
        assert (last.slot, last.lag_slots) == (1004, 1)
        assert not market.of(PoolInvalidated)


async def test_a_stalled_node_does_not_hold_up_urgent_reads(
    transport: SocketTransport, node_a: ScriptedNode, node_b: ScriptedNode, market: Market
) -> None:
    made = await two(transport, node_a, node_b, market, rpc_timeout_s=0.2)
    async with running(made.run()):
        await market.state(slot=1000)
        for node in (node_a, node_b):
            await until_all_live(node)
        node_a.stall["getMultipleAccounts"] = asyncio.Event()
        for node in (node_a, node_b):
            await node.tick(1001)
            await node.change(pool_at(-26147, L + 5))
        await market.state(slot=1001, liquidity=L + 5)


async def test_an_incomplete_cpmm_burst_is_completed_by_a_read(
    transport: SocketTransport, node_a: ScriptedNode, market: Market
) -> None:
    node_a.put(builders.cpmm_accounts().values())
    made = feed(transport, market, node_a, kind="cpmm")
    async with running(made.run()):
        state = await market.state(slot=1000)
        assert isinstance(state, CpmmPool)
        await node_a.until(lambda: len(node_a.subscribed()) == 5)
        await node_a.tick(1001)
        after = builders.cpmm_accounts(vault_a_raw=10_000_500, vault_b_raw=1_999_900)
        await node_a.change(after[key("cpmm")], after[key("cpmm vault a")])
        node_a.put([after[key("cpmm vault b")]])
        state = await market.state(slot=1001)
        assert (state.vault_a_raw, state.vault_b_raw) == (10_000_500, 1_999_900)


async def test_accounts_that_stay_incomplete_make_the_pool_unusable(
    one: SolanaFeed, market: Market, node_a: ScriptedNode
) -> None:
    node_a.http_status["getMultipleAccounts"] = 500
    await node_a.tick(1001)
    await node_a.change(pool_at(-26147, L + 5))
    for slot in range(1002, 1010):
        await asyncio.sleep(0.15)
        await node_a.tick(slot)
    await market.invalid("incomplete")
    node_a.http_status.clear()
    await market.state(liquidity=L + 5)
