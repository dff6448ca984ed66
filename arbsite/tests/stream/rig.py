"""Daphne as the product starts it, on the test run's database, and words to talk to it with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pytest
from django.core.cache import cache
from django.db import connections
from rest_framework.test import APIClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from arbsite.processes import web_command
from arbsite.readiness import port_answers, wait_until
from arbsite.tests.auth.people import signed_in

Answer = TypeVar("Answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], database_url: str, **environment: str) -> Iterator[Any]:
    """A process of the product on the test database; its output shows when a test fails."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "DATABASE_URL": database_url, **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)


@contextmanager
def web_process(application: str, database_url: str) -> Iterator[tuple[int, Any]]:
    """The port that answers, and the process behind it."""
    port = free_port()
    with running(web_command(port, application, is_proxied=True), database_url) as process:
        wait_until(
            lambda: port_answers(port),
            failure=lambda: "daphne did not come up",
            timeout_s=30,
            is_alive=lambda: process.poll() is None,
        )
        yield port, process


@contextmanager
def web_server(application: str, database_url: str) -> Iterator[int]:
    with web_process(application, database_url) as (port, _):
        yield port


@pytest.fixture(scope="session")
def web_port(test_database_url: str, redis_url: str) -> Iterator[int]:
    with web_server("arbsite.asgi:application", test_database_url) as port:
        yield port


@pytest.fixture(scope="session")
def impatient_port(test_database_url: str, redis_url: str) -> Iterator[int]:
    with web_server("arbsite.tests.stream.quick:application", test_database_url) as port:
        yield port


@pytest.fixture
def crowded_port(test_database_url: str, redis_url: str) -> Iterator[int]:
    """A server of its own: what one test leaves open must not be counted in another."""
    with web_server("arbsite.tests.stream.crowded:application", test_database_url) as port:
        yield port


@pytest.fixture
def viewer(transactional_db: None) -> Iterator[APIClient]:
    cache.clear()
    yield signed_in("viewer")
    cache.clear()


def ticket(client: APIClient) -> str:
    answer = client.post("/v1/stream/ticket", {}, format="json")
    assert answer.status_code == 200, answer.content
    return str(answer.json()["ticket"])


def open_socket(port: int, origin: str | None = "") -> connect:
    own = f"http://127.0.0.1:{port}" if origin == "" else origin
    # No patience of the client's own: how late a starved server may answer is its own affair.
    return connect(f"ws://127.0.0.1:{port}/v1/stream", origin=own, max_size=None, open_timeout=None)


async def enter(socket: ClientConnection, spent: str) -> None:
    """Spend the ticket and read the greeting."""
    await say(socket, type="auth", ticket=spent)
    assert await hear(socket) == {"type": "ready"}


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection, timeout_s: float = 40) -> Any:
    """The next message; frames are answered for, as a console does."""
    message = json.loads(await asyncio.wait_for(socket.recv(), timeout_s))
    if "seq" in message:
        with suppress(ConnectionClosed):
            await say(socket, type="ack", seq=message["seq"])
    return message


async def hear_until(
    socket: ClientConnection, wanted: Callable[[Any], bool], timeout_s: float = 40
) -> list[Any]:
    """Every frame up to and with the first wanted one."""
    heard: list[Any] = []
    async with asyncio.timeout(timeout_s):
        while True:
            heard.append(await hear(socket))
            if wanted(heard[-1]):
                return heard


async def code_of(socket: ClientConnection, timeout_s: float = 10) -> int | None:
    """Read on until the server closes; its code."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(timeout_s):
            async for _ in socket:
                pass
    return socket.close_code


async def in_thread(act: Callable[[], Answer]) -> Answer:
    """Run database work beside the loop and leave no connection behind."""
    box: list[Answer] = []

    def work() -> None:
        box.append(act())
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    await asyncio.to_thread(thread.join)
    return box[0]


def run(story: Awaitable[Answer]) -> Answer:
    async def bounded() -> Answer:
        async with asyncio.timeout(60):
            return await story

    return asyncio.run(bounded())
