"""A real transport and two scripted nodes for every test of this folder that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.tests.node import ScriptedNode


@pytest.fixture
async def transport() -> AsyncIterator[SocketTransport]:
    made = SocketTransport()
    yield made
    await made.close()


@pytest.fixture
async def node_a() -> AsyncIterator[ScriptedNode]:
    async with ScriptedNode("a").serve() as node:
        yield node


@pytest.fixture
async def node_b() -> AsyncIterator[ScriptedNode]:
    async with ScriptedNode("b").serve() as node:
        yield node
