"""Fault 56: thousands of connects end at a cap per address and per user, with a code."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

from rest_framework.test import APIClient
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidMessage

from arbsite.consumers import CROWDED
from arbsite.socket_caps import SocketCaps
from arbsite.tests.auth.people import signed_in
from arbsite.tests.stream.crowded import PER_ADDRESS, PER_USER
from arbsite.tests.stream.rig import code_of, enter, open_socket, run, say, ticket

FLOOD = 200


def test_a_flood_from_one_address_meets_its_cap(crowded_port: int, viewer: APIClient) -> None:
    spent = [ticket(viewer) for _ in range(2)]

    async def story() -> None:
        async with AsyncExitStack() as stack:

            async def connect() -> ClientConnection:
                return await stack.enter_async_context(open_socket(crowded_port))

            async def flood_in() -> ClientConnection | None:
                try:
                    return await connect()
                except InvalidMessage:
                    # Cut before a word: a server that drowns may hang up on who comes too fast.
                    return None

            # The one that works before the flood works all through it.
            console = await connect()
            await enter(console, spent[0])
            came = await asyncio.gather(*(flood_in() for _ in range(FLOOD)))
            flood = [socket for socket in came if socket is not None]
            refused = len(flood) + 1 - PER_ADDRESS
            assert refused > 0
            while sum(socket.close_code is not None for socket in flood) < refused:
                await asyncio.sleep(0.05)
            codes = Counter(socket.close_code for socket in flood)
            assert codes == {CROWDED: refused, None: PER_ADDRESS - 1}
            await say(console, type="ping", id=1, t=0.5)
            while '"pong"' not in str(await console.recv()):
                pass
            # What leaves makes room again.
            for socket in flood:
                await socket.close()
            await console.close()
            again = await connect()
            await enter(again, spent[1])

    run(story())


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
