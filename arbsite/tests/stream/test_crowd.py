"""Fault 56: thousands of connects end at a cap per address and per user, with a code."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import Counter
from contextlib import AsyncExitStack, ExitStack

from rest_framework.test import APIClient
from websockets.asyncio.client import ClientConnection

from arbsite.consumers import CROWDED
from arbsite.socket_caps import SocketCaps
from arbsite.tests.auth.people import signed_in
from arbsite.tests.stream.crowded import PER_ADDRESS, PER_USER
from arbsite.tests.stream.rig import (
    code_of,
    enter,
    hear_until,
    open_socket,
    run,
    say,
    ticket,
    web_process,
)

FLOOD = 200
# More than twice what Twisted lets wait by itself, and below what any kernel is set to.
COME_BACK = 110


def test_a_flood_from_one_address_meets_its_cap(crowded_port: int, viewer: APIClient) -> None:
    spent = [ticket(viewer) for _ in range(2)]

    async def story() -> None:
        async with AsyncExitStack() as stack:

            async def connect() -> ClientConnection:
                return await stack.enter_async_context(open_socket(crowded_port))

            # The one that works before the flood works all through it.
            console = await connect()
            await enter(console, spent[0])
            working = asyncio.create_task(
                hear_until(console, lambda said: said.get("type") == "pong")
            )
            flood = await asyncio.gather(*(connect() for _ in range(FLOOD)))
            refused = FLOOD + 1 - PER_ADDRESS
            while sum(each.close_code is not None for each in flood) < refused:
                await asyncio.sleep(0.05)
            codes = Counter(each.close_code for each in flood)
            assert codes == {CROWDED: refused, None: PER_ADDRESS - 1}
            await say(console, type="ping", id=1, t=0.5)
            await working
            # What leaves makes room again.
            for each in flood:
                await each.close()
            await console.close()
            again = await connect()
            await enter(again, spent[1])

    run(story())


def test_consoles_that_come_back_together_stand_at_the_door_of_a_busy_server(
    test_database_url: str, redis_url: str
) -> None:
    with web_process("arbsite.asgi:application", test_database_url) as (port, process):
        process.send_signal(signal.SIGSTOP)
        try:
            with ExitStack() as stack:
                for _ in range(COME_BACK):
                    # One the kernel has no room for gets no answer at all.
                    stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        finally:
            process.send_signal(signal.SIGCONT)


def test_one_user_holds_a_few_sockets_and_another_is_not_in_their_way(
    crowded_port: int, viewer: APIClient
) -> None:
    mine = [ticket(viewer) for _ in range(PER_USER + 1)]
    others = ticket(signed_in("viewer", "another"))

    async def story() -> None:
        async with AsyncExitStack() as stack:
            for spent in mine[:-1]:
                await enter(await stack.enter_async_context(open_socket(crowded_port)), spent)
            crowded = await stack.enter_async_context(open_socket(crowded_port))
            await say(crowded, type="auth", ticket=mine[-1])
            assert await code_of(crowded) == CROWDED
            await enter(await stack.enter_async_context(open_socket(crowded_port)), others)

    run(story())


def test_counts_are_given_back_once_however_often_a_socket_leaves() -> None:
    caps = SocketCaps(per_address=2, per_user=1)
    one, two, three = object(), object(), object()
    assert caps.take_address(one, "a")
    assert caps.take_address(two, "a")
    assert not caps.take_address(three, "a")
    assert caps.take_address(three, "b")
    assert caps.take_user(one, "u")
    assert not caps.take_user(two, "u")
    for _ in range(2):
        caps.leave(three)
        caps.leave(two)
    assert not caps.take_user(two, "u")
    caps.leave(one)
    caps.leave(two)
    assert caps.take_user(two, "u")
    assert caps.take_address(three, "a")
    assert caps.take_address(one, "a")
