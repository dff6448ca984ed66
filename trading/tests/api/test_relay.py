"""The relay process: from database rows and bus messages to a browser's frames, for real."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from subprocess import Popen
from typing import Any

import msgspec
import pytest
from django.conf import settings
from psycopg.rows import dict_row
from rest_framework.test import APIClient

from arbsite import events
from arbsite.bus import RedisBus, encode
from arbsite.home import REPOSITORY
from arbsite.streams import kept_picture
from arbsite.tests.stream.frames import status, trade
from arbsite.tests.stream.rig import (
    enter,
    hear_until,
    in_thread,
    open_socket,
    run,
    running,
    ticket,
)
from risk import services
from trading.models import Outbox
from trading.storage.outbox import Connection, OutboxDrain


@pytest.fixture
def relay(viewer: APIClient, test_database_url: str, redis_url: str) -> Iterator[Popen[bytes]]:
    command = [sys.executable, str(REPOSITORY / "manage.py"), "run_relay"]
    with running(command, test_database_url) as process:
        yield process


def post(message: Any, subject: str) -> None:
    Outbox.objects.create(subject=subject, payload=msgspec.to_builtins(message))


def test_from_database_and_bus_to_the_browser(
    web_port: int, viewer: APIClient, relay: Popen[bytes], redis_url: str
) -> None:
    spent = ticket(viewer)
    services.set_first_mode("*", "live", actor="test", reason="test")
    post(events.ExecResult(trade=trade(1), at_ns=10), "exec.result.SOL")

    async def story() -> None:
        bus = RedisBus(redis_url)
        async with open_socket(web_port) as socket:
            await enter(socket, spent)
            # Rows that waited while the relay was starting arrive too.
            await in_thread(
                lambda: post(events.ExecResult(trade=trade(2), at_ns=20), "exec.result.SOL")
            )
            heard = await hear_until(
                socket,
                lambda f: (
                    f["stream"] == "trades"
                    and any(row["version"] == 2 for row in f["data"]["rows"])
                ),
            )
            assert heard[-1]["published_at_ns"] == 20

            await bus.publish(events.CONSOLE_STATUS, b"not a message")
            await bus.publish(events.CONSOLE_STATUS, encode(status(30, "stop_new")))
            heard = await hear_until(
                socket, lambda f: f["stream"] == "status" and f["kind"] == "delta"
            )
            frame = msgspec.convert(heard[-1]["data"], events.StatusFrame)
            assert frame == status(30, "stop_new")

            await in_thread(lambda: services.kill("*", user="olga", key="k", reason="drill"))
            heard = await hear_until(
                socket, lambda f: f["stream"] == "incidents" and f["data"]["rows"]
            )
            row = heard[-1]["data"]["rows"][0]
            assert msgspec.convert(row, events.Incident).rule == "kill_switch"
            while await asyncio.to_thread(kept_picture, "status") is None:
                await asyncio.sleep(0.05)
        await bus.close()

    run(story())
    assert Outbox.objects.filter(sent_at=None).count() == 0
    shown = viewer.get("/v1/status").json()
    assert shown["status"]["mode"] == "stop_new"
    assert shown["status_age_ms"] > 0
    assert shown["metrics"] is None
    assert [(row["scope"], row["mode"]) for row in shown["controls"]] == [("*", "halt")]
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(timeout=2) == 0


def test_rows_wait_while_the_bus_is_away(
    viewer: APIClient, test_database_url: str, unused_tcp_port: int
) -> None:
    post(status(1), events.CONSOLE_STATUS)

    async def story(url: str) -> int:
        bus = RedisBus(url)
        async with await Connection.connect(
            test_database_url, autocommit=True, row_factory=dict_row
        ) as conn:
            taken = await OutboxDrain(test_database_url, bus).drain(conn)
        await bus.close()
        return taken

    assert run(story(f"redis://127.0.0.1:{unused_tcp_port}")) == 0
    assert Outbox.objects.get().sent_at is None
    assert run(story(settings.REDIS_URL)) == 1
    assert Outbox.objects.get().sent_at is not None
