"""The relay in memory: what it thins, what it never drops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from arbsite import events
from arbsite.bus import MemoryBus, encode
from arbsite.relay import PATTERNS, ConsoleRelay
from arbsite.streams import Backlog, layer_message
from arbsite.tests.stream.frames import spread, status, trade


class Layer:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.messages.append(message)


async def test_a_beat_sends_the_last_picture_and_every_event() -> None:
    layer = Layer()
    relay = ConsoleRelay(layer)
    for number in range(1, 6):
        await relay.take(events.SpreadsFrame(rows=(spread("SOL", number),), at_ns=number))
        await relay.take(events.ExecResult(trade=trade(number), at_ns=number))
    await relay.flush()
    by_stream = {message["stream"]: message for message in layer.messages}
    assert by_stream["spreads"]["keys"] == ["SOL"]
    assert [json.loads(row)["at_ns"] for row in by_stream["spreads"]["rows"]] == [5]
    assert [json.loads(row)["version"] for row in by_stream["trades"]["rows"]] == [1, 2, 3, 4, 5]
    await relay.flush()
    assert len(layer.messages) == 2


async def test_status_does_not_wait_for_the_beat() -> None:
    layer = Layer()
    relay = ConsoleRelay(layer)
    await relay.take(status(1))
    await relay.take(status(2, "halt"))
    assert [json.loads(message["data"])["mode"] for message in layer.messages] == ["live", "halt"]


def test_a_backlog_is_over_for_good_when_too_many_events_wait() -> None:
    backlog = Backlog(limit=10)
    backlog.offer(layer_message("trades", 1, rows=["{}"] * 10))
    assert not backlog.is_over
    backlog.offer(layer_message("incidents", 1, rows=["{}"]))
    assert backlog.is_over
    backlog.take()
    assert backlog.is_over
    assert backlog.is_empty()


def test_pictures_never_make_a_backlog_longer() -> None:
    backlog = Backlog(limit=1)
    for number in range(1000):
        backlog.offer(layer_message("status", number, data="{}"))
        backlog.offer(layer_message("spreads", number, rows=["{}"], keys=["SOL"]))
    assert not backlog.is_over
    assert len(backlog.take()) == 2


def test_frames_of_rows_have_the_form_of_the_events() -> None:
    backlog = Backlog(limit=10)
    row = msgspec.json.encode(spread("SOL", 3)).decode()
    backlog.offer(layer_message("spreads", 3, rows=[row], keys=["SOL"]))
    (frame,) = backlog.take()
    data = json.loads(frame)["data"]
    assert msgspec.convert(data, events.SpreadsFrame).rows == (spread("SOL", 3),)


async def test_a_message_that_cannot_be_read_costs_itself_alone() -> None:
    """A byte that is no UTF-8 is refused like any other; it used to end the relay."""
    layer, bus = Layer(), MemoryBus()
    relay = ConsoleRelay(layer)
    subscription = await bus.subscribe(*PATTERNS)
    following = asyncio.create_task(relay.follow(subscription))
    subject = events.subject_for_asset(events.EXEC_RESULT, "SOL")
    good = events.ExecResult(trade=trade(1), at_ns=1)
    for payload in (b'{"type":"\xff"}', b"[" * 100_000, encode(good)):
        await bus.publish(subject, payload)
    async with asyncio.timeout(5):
        while not layer.messages:
            await asyncio.sleep(0)
            await relay.flush()
    following.cancel()
    assert [message["stream"] for message in layer.messages] == ["trades"]
