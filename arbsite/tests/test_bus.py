"""One conformance suite for every bus, on a real Valkey and a real NATS server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from arbsite import events
from arbsite.bus import (
    Bus,
    MemoryBus,
    NatsBus,
    RedisBus,
    Subscription,
    bus_from_url,
    check_pattern,
    decode,
    encode,
    matches,
)
from arbsite.embedded import Service
from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.readiness import port_answers
from arbsite.testing import RunningService, nats_service

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(params=["memory", "redis", "nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "memory":
        url = "memory://"
    else:
        url = request.getfixturevalue(f"{request.param}_url")
    made = bus_from_url(url)
    yield made
    await made.close()


async def _take(subscription: Subscription, count: int) -> list[tuple[str, bytes]]:
    async with asyncio.timeout(5):
        return [await anext(subscription) for _ in range(count)]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_delivers_what_the_patterns_name_in_order(bus: Bus) -> None:
    exact = await bus.subscribe("control.changed")
    one_token = await bus.subscribe("exec.try.*")
    rest = await bus.subscribe("exec.>")
    for number in range(50):
        await bus.publish("exec.try.SOL", b"%d" % number)
    await bus.publish("exec.result.SOL.late", b"r")
    await bus.publish("exec.try.SOL.x", b"deeper")
    await bus.publish("control.changed", b"c")
    await bus.publish("exec.try.JUP", b"end")

    assert await _take(exact, 1) == [("control.changed", b"c")]
    tries = await _take(one_token, 51)
    assert [payload for _, payload in tries] == [b"%d" % n for n in range(50)] + [b"end"]
    everything = await _take(rest, 53)
    assert everything[50:] == [
        ("exec.result.SOL.late", b"r"),
        ("exec.try.SOL.x", b"deeper"),
        ("exec.try.JUP", b"end"),
    ]
    assert (exact.pending(), one_token.pending(), rest.pending()) == (0, 0, 0)


async def test_overlapping_patterns_deliver_a_message_once(bus: Bus) -> None:
    both = await bus.subscribe("exec.>", "exec.try.*", "exec.try.SOL")
    await bus.publish("exec.try.SOL", b"once")
    await bus.publish("exec.result.SOL", b"end")
    assert await _take(both, 2) == [("exec.try.SOL", b"once"), ("exec.result.SOL", b"end")]


async def test_every_subscriber_gets_every_message_and_any_bytes(bus: Bus) -> None:
    first = await bus.subscribe("config.changed")
    second = await bus.subscribe("config.changed", "risk.incident")
    payloads = [b"\x00\xff\xfe\r\n", b"", "µ→€".encode(), bytes(100_000)]
    for payload in payloads:
        await bus.publish("config.changed", payload)
    assert [p for _, p in await _take(first, 4)] == payloads
    assert [p for _, p in await _take(second, 4)] == payloads


async def test_a_slow_reader_keeps_the_newest_and_counts_the_rest(bus: Bus) -> None:
    slow = await bus.subscribe("console.spreads", capacity=10)
    for number in range(500):
        await bus.publish("console.spreads", b"%d" % number)
    await _until(lambda: slow.dropped + slow.pending() == 500)
    assert slow.dropped == 490
    assert [p for _, p in await _take(slow, 10)] == [b"%d" % n for n in range(490, 500)]


async def test_closing_ends_the_iteration_after_what_was_queued(bus: Bus) -> None:
    subscription = await bus.subscribe("risk.>")
    await bus.publish("risk.incident", b"1")
    await _until(lambda: subscription.pending() == 1)
    subscription.close()
    subscription.close()
    await bus.publish("risk.incident", b"2")
    assert [message async for message in subscription] == [("risk.incident", b"1")]


async def test_closing_the_bus_ends_waiting_readers(bus: Bus) -> None:
    subscription = await bus.subscribe("risk.>")
    reader = asyncio.ensure_future(anext(subscription, None))
    await asyncio.sleep(0)
    await bus.close()
    async with asyncio.timeout(5):
        assert await reader is None


@pytest.mark.parametrize("subject", ["", "a b", "a..b", "exec.*", "exec.>", "é", "a\nb", "a?"])
async def test_a_wrong_subject_is_refused(bus: Bus, subject: str) -> None:
    with pytest.raises(ValueError, match="is not a subject"):
        await bus.publish(subject, b"")


@pytest.mark.parametrize("pattern", ["", ">.a", "a.>.b", "a*", "a.[b]", "a b"])
async def test_a_wrong_pattern_is_refused(bus: Bus, pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern"):
        await bus.subscribe(pattern)


async def test_redis_reader_survives_a_killed_connection_and_counts_the_gap(
    redis_url: str,
) -> None:
    bus = RedisBus(redis_url)
    subscription = await bus.subscribe("exec.>")
    async with redis.asyncio.Redis.from_url(redis_url) as admin:
        assert await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 1
        await _until(lambda: subscription.gaps == 1)

        async def subscribed() -> int:
            return int((await admin.execute_command("PUBSUB", "NUMPAT")) or 0)

        async with asyncio.timeout(5):
            while await subscribed() == 0:
                await asyncio.sleep(0.01)
    await bus.publish("exec.try.SOL", b"after")
    assert await _take(subscription, 1) == [("exec.try.SOL", b"after")]
    await bus.close()


async def test_publishing_without_a_server_is_counted_not_raised(unused_tcp_port: int) -> None:
    for bus in (
        RedisBus(f"redis://127.0.0.1:{unused_tcp_port}/0"),
        NatsBus(f"nats://127.0.0.1:{unused_tcp_port}"),
    ):
        await bus.publish("exec.try.SOL", b"gone")
        assert bus.lost == 1
        await bus.close()


async def test_nats_reader_survives_a_server_restart_and_counts_the_gap(
    test_home: Home, unused_tcp_port: int, tmp_path: Path
) -> None:
    def start() -> RunningService:
        service: Service = nats_service(unused_tcp_port, tmp_path)
        server = RunningService(service, tmp_path / "nats.log")
        server.wait_ready(lambda: port_answers(unused_tcp_port))
        return server

    server = start()
    bus = NatsBus(f"nats://127.0.0.1:{unused_tcp_port}")
    try:
        subscription = await bus.subscribe("exec.>")
        await asyncio.to_thread(server.stop)
        await _until(lambda: subscription.gaps == 1)
        server = await asyncio.to_thread(start)
        await bus.publish("exec.try.SOL", b"after")
        assert await _take(subscription, 1) == [("exec.try.SOL", b"after")]
    finally:
        await bus.close()
        server.stop()


def test_an_unknown_scheme_names_the_choices() -> None:
    with pytest.raises(SetupError, match="use redis://, nats:// or memory://"):
        bus_from_url("kafka://x")


def test_messages_travel_as_tagged_json() -> None:
    message = events.ControlChanged(scope="*", version=7, command_id="c1")
    assert decode(encode(message)) == message
    assert isinstance(bus_from_url("memory://"), MemoryBus)


_tokens = st.sampled_from(["a", "b", "c"])


@given(st.lists(_tokens, min_size=1, max_size=4), st.data())
def test_a_pattern_made_by_hiding_tokens_still_matches(
    tokens: list[str], data: st.DataObject
) -> None:
    subject = ".".join(tokens)
    hidden = [data.draw(st.sampled_from([token, "*"])) for token in tokens]
    assert matches(check_pattern(".".join(hidden)), subject)
    cut = data.draw(st.integers(0, len(tokens)))
    with_rest = ".".join([*hidden[:cut], ">"])
    assert matches(check_pattern(with_rest), subject) == (cut < len(tokens))
