"""The console socket over a real Daphne: who gets in, what arrives, what ends it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from channels.layers import get_channel_layer
from rest_framework.test import APIClient
from websockets.exceptions import InvalidStatus

from arbsite.auth.tickets import issue_ticket
from arbsite.clock import uuid7
from arbsite.models import User
from arbsite.streams import GROUP, STREAMS, Picture, keep_pictures, layer_message
from arbsite.tests.auth.people import sign_in
from arbsite.tests.stream.rig import (
    code_of,
    enter,
    hear,
    hear_until,
    in_thread,
    open_socket,
    run,
    say,
    ticket,
)


async def publish(stream: Any, at_ns: int, **parts: Any) -> None:
    await get_channel_layer().group_send(GROUP, dict(layer_message(stream, at_ns, **parts)))


def is_from(stream: str, kind: str) -> Any:
    return lambda frame: frame.get("stream") == stream and frame.get("kind") == kind


def test_snapshots_come_first_then_deltas_in_sequence(web_port: int, viewer: APIClient) -> None:
    keep_pictures({"status": Picture(7, '{"type":"status","mode":"live"}')})
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            # Status was kept; the event streams are empty but known; the rest is unknown.
            first = [await hear(socket) for _ in range(4)]
            assert [(f["stream"], f["kind"], f["seq"]) for f in first] == [
                ("status", "snapshot", 1),
                ("opportunities", "snapshot", 1),
                ("trades", "snapshot", 1),
                ("incidents", "snapshot", 1),
            ]
            assert first[0]["data"] == {"type": "status", "mode": "live"}
            assert first[0]["published_at_ns"] == 7
            assert first[2]["data"] == {"rows": []}
            await publish("status", 8, data='{"type":"status","mode":"halt"}')
            assert await hear(socket) == {
                "stream": "status",
                "seq": 2,
                "kind": "delta",
                "published_at_ns": 8,
                "data": {"type": "status", "mode": "halt"},
            }
            await say(socket, type="resync", stream="status")
            again = await hear(socket)
            assert (again["kind"], again["seq"]) == ("snapshot", 3)
            await say(socket, type="ping", id=1, t=12.5)
            pong = await hear(socket)
            assert (pong["type"], pong["id"], pong["t"]) == ("pong", 1, 12.5)
            assert pong["server_ns"] > 1_700_000_000_000_000_000

    run(story())


def test_spreads_are_thinned_to_the_last_of_each_asset(web_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            await hear_until(socket, is_from("incidents", "snapshot"))
            for number in range(1, 201):
                asset = ("SOL", "JUP")[number % 2]
                row = json.dumps({"asset": asset, "n": number})
                await publish("spreads", number, rows=[row], keys=[asset])
            heard = await hear_until(
                socket, lambda frame: any(row["n"] == 200 for row in frame["data"]["rows"])
            )
            assert 1 <= len(heard) < 100
            assert [frame["seq"] for frame in heard] == list(range(1, len(heard) + 1))
            last = {row["asset"]: row["n"] for frame in heard for row in frame["data"]["rows"]}
            assert last == {"SOL": 200, "JUP": 199}
            for frame in heard:
                assert max(Counter(row["asset"] for row in frame["data"]["rows"]).values()) == 1

    run(story())


def test_events_are_never_thinned(web_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            await hear_until(socket, is_from("incidents", "snapshot"))
            for number in range(500):
                await publish("trades", number, rows=[json.dumps({"n": number})])
            heard: list[int] = []
            while len(heard) < 500:
                heard += [row["n"] for row in (await hear(socket))["data"]["rows"]]
            assert heard == list(range(500))

    run(story())


def test_a_socket_of_another_page_is_refused(web_port: int) -> None:
    async def story() -> None:
        for origin in (None, "http://evil.example", "null", "http://127.0.0.1:1"):
            with pytest.raises(InvalidStatus) as refused:
                await open_socket(web_port, origin)
            assert refused.value.response.status_code == 403, origin

    run(story())


def test_a_ticket_works_once(web_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(web_port) as first, open_socket(web_port) as second:
            await enter(first, spent)
            await say(second, type="auth", ticket=spent)
            assert await code_of(second) == 4401

    run(story())


def test_a_made_up_ticket_ends_with_4401(web_port: int, viewer: APIClient) -> None:
    async def story() -> None:
        for made_up in ("", "x" * 43, "x" * 5000, "\u0000", "*"):
            async with open_socket(web_port) as socket:
                await say(socket, type="auth", ticket=made_up)
                assert await code_of(socket) == 4401, made_up

    run(story())


def test_a_ticket_of_no_session_ends_with_4401(web_port: int, viewer: APIClient) -> None:
    orphan = issue_ticket(uuid7())

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await say(socket, type="auth", ticket=orphan)
            assert await code_of(socket) == 4401

    run(story())


def test_silence_before_the_ticket_ends_with_4401(impatient_port: int, viewer: APIClient) -> None:
    async def story() -> None:
        async with open_socket(impatient_port) as socket:
            assert await code_of(socket) == 4401

    run(story())


def test_who_may_not_read_is_told_so(web_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)
    User.objects.get().groups.clear()

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await say(socket, type="auth", ticket=spent)
            assert await code_of(socket) == 4403

    run(story())


DEEP = '{"type":"ping","id":1,"t":' + "[" * 7000 + "]" * 7000 + "}"
MALFORMED: list[tuple[str | bytes, set[int]]] = [
    (b'{"type":"ping","id":1,"t":1}', {4415}),
    ("not json", {4400}),
    ("", {4400}),
    ("null", {4400}),
    ("[]", {4400}),
    ('{"type":"ping","id":1,"t":NaN}', {4400}),
    ('{"type":"ping","id":1,"t":1e999}', {4400}),
    ('{"type":"ping","id":"1","t":1}', {4400}),
    ('{"type":"ping","id":1,"t":1,"more":1}', {4400}),
    ('{"type":"pause","scope":"*"}', {4400}),
    ('{"type":"resync","stream":"secrets"}', {4400}),
    ('{"type":"ack","seq":' + "9" * 5000 + "}", {4400}),
    (DEEP, {4400}),
    ('{"type":"auth","ticket":"again"}', {4400}),
    ('{"type":"ack","seq":' + "1" * 20_000 + "}", {4413}),
    ("x" * 900_000, {4413}),
    # Beyond the server's own limit it drops the connection without a code.
    ("x" * 2_000_000, {1006, 1009}),
]


def test_malformed_messages_close_with_their_reason(web_port: int, viewer: APIClient) -> None:
    tickets = [ticket(viewer) for _ in MALFORMED]

    async def story(message: str | bytes, codes: set[int], spent: str) -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            await socket.send(message)
            assert await code_of(socket) in codes, message[:40]

    async def stories() -> None:
        for (message, codes), spent in zip(MALFORMED, tickets, strict=True):
            await story(message, codes, spent)

    run(stories())


def test_anything_before_the_ticket_ends_with_4401(web_port: int, viewer: APIClient) -> None:
    async def story() -> None:
        async with open_socket(web_port) as socket:
            await say(socket, type="resync", stream="status")
            assert await code_of(socket) == 4401

    run(story())


def test_a_flood_of_messages_is_stopped(web_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            for _ in range(200):
                await say(socket, type="ack", seq=1)
            assert await code_of(socket) == 4429

    run(story())


@pytest.mark.parametrize("change", ["signed out", "disabled", "role taken"])
def test_an_open_socket_ends_with_its_session(
    web_port: int, viewer: APIClient, change: str
) -> None:
    spent = ticket(viewer)
    acts = {
        "signed out": lambda: viewer.post("/v1/auth/logout", {}, format="json"),
        "disabled": lambda: User.objects.update(is_active=False),
        "role taken": User.objects.get().groups.clear,
    }

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            started = asyncio.get_running_loop().time()
            await in_thread(acts[change])
            assert await code_of(socket) == (4403 if change == "role taken" else 4401)
            assert asyncio.get_running_loop().time() - started < 2

    run(story())


def test_a_reader_that_never_answers_is_closed(impatient_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(impatient_port) as socket:
            await enter(socket, spent)
            assert await code_of(socket) == 4408

    run(story())


def test_a_reader_a_thousand_events_behind_is_closed(
    impatient_port: int, viewer: APIClient
) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(impatient_port) as socket:
            await enter(socket, spent)
            await hear_until(socket, is_from("incidents", "snapshot"))
            await publish("trades", 1, rows=["{}"] * 1001)
            assert await code_of(socket) == 4408

    run(story())


def test_a_reader_that_answers_stays(impatient_port: int, viewer: APIClient) -> None:
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(impatient_port) as socket:
            await enter(socket, spent)
            for number in range(1, 16):
                await publish("status", number, data=f'{{"n":{number}}}')
                await hear_until(socket, is_from("status", "delta"))
                await asyncio.sleep(0.1)

    run(story())


def test_signing_in_again_gives_a_socket_again(web_port: int, viewer: APIClient) -> None:
    viewer.post("/v1/auth/logout", {}, format="json")
    answer = sign_in(viewer, "viewer")
    viewer.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    spent = ticket(viewer)

    async def story() -> None:
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            assert (await hear(socket))["stream"] in STREAMS

    run(story())
