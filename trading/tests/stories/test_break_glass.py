"""When PostgreSQL is away or a person pulls the local switch: halted, and somebody is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from arbsite import metrics
from arbsite.events import Mode
from feeds.tests.conformance.venues import run_patient
from trading.execution.executor import Executor
from trading.execution.outage import Outage
from trading.process.local_kill import VERSION, LocalKill
from trading.storage.lease import Lease, LeaseLost
from trading.tests.stories.desk import Scene, story, tell


class Cable:
    """A TCP cable to PostgreSQL that can be pulled: connections break, new ones are refused.

    It runs on a thread of its own: the story's virtual loop waits for every socket it has.
    """

    def __init__(self, dsn: str) -> None:
        self._there = urlsplit(dsn)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def dsn(self) -> str:
        there = self._there
        host = f"{there.username}:{there.password}@127.0.0.1:{self._port}"
        return there._replace(netloc=host).geturl()

    def plug(self) -> None:
        self._do(self._plug())

    def pull(self) -> None:
        self._do(self._pull())

    def close(self) -> None:
        self.pull()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _plug(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _pull(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._there.hostname, self._there.port
        back, forth = await asyncio.open_connection(host, port)
        self._writers |= {writer, forth}
        for source, sink in ((reader, forth), (back, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()
    sink.close()


@contextmanager
def cable(dsn: str) -> Iterator[Cable]:
    made = Cable(dsn)
    made.plug()
    try:
        yield made
    finally:
        made.close()


def test_the_database_away_with_an_open_residual_pages_with_the_steps(
    desk_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        scene.faults.set("kraken.zero_fill_p", 1.0)
        scene.settings = msgspec.structs.replace(scene.settings, max_hedges=1000)
        await engine.executor.execute(scene.intent("dex_first"))
        while not engine.executor.open_trades[0].residual_base:
            await asyncio.sleep(0.01)
        with cable(scene.dsn) as line:
            lease = Lease(line.dsn, shard="main", holder="on a cable")
            # The running engine's own lease, without another epoch.
            lease._conn, lease.epoch = await lease._connect(), engine.store.epoch
            await lease.beat()
            line.pull()
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(LeaseLost):
                await lease.beat()
            paging = asyncio.create_task(Outage(line.dsn, engine.executor).last())
            while not [r for r in caplog.records if r.levelno == logging.CRITICAL]:
                await asyncio.sleep(0.01)
            assert loop.time() - began < 5
            assert metrics.DATABASE_DOWN._value.get() == 1
            await asyncio.sleep(6)
            assert not paging.done()
            line.plug()
            await paging
            assert metrics.DATABASE_DOWN._value.get() == 0
        pages = [r for r in caplog.records if r.levelno == logging.CRITICAL]
        assert len(pages) == 2
        await lease.release()
        scene.faults.set("kraken.zero_fill_p", 0.0)
        await engine.kill()
        after = await scene.engine()
        await after.until_idle()
        assert (await scene.trade())["residual_base"] == 0

    with caplog.at_level(logging.CRITICAL, logger="trading.execution.outage"):
        run_patient(tell(desk_url, body))
    said = str([record.__dict__ for record in caplog.records])
    assert "sell 1 SOL on Kraken (SOL/USD)" in said


@story
async def test_a_pulled_local_switch_stops_what_is_new_and_what_is_sent_again(
    scene: Scene,
) -> None:
    engine = await scene.engine()
    halted: list[Mode] = []
    switch = LocalKill(None, obeyed=lambda: halted.append("halt"))
    engine.desk = msgspec.structs.replace(engine.desk, mode=lambda _: switch.mode(scene.mode))
    engine.executor = Executor(engine.desk)
    scene.faults.set("solana.land_p", 0.0)
    await engine.executor.execute(scene.intent("dex_first"))
    await asyncio.sleep(0.05)
    sends = engine.solana.counters.sends
    switch.pull("a test")
    switch.pull("a test again")
    await engine.executor.execute(scene.intent())
    await engine.until_idle()
    assert halted == ["halt"]
    assert engine.solana.counters.sends == sends
    assert scene.venues.exchange.accounts.orders == {}
    assert len(await scene.rows("SELECT * FROM trading_trade")) == 1


def test_the_kill_file_is_obeyed_within_250_ms_and_recorded_when_it_can_be(
    tmp_path: Path,
) -> None:
    async def body() -> None:
        tries: list[bool] = []
        pulled = asyncio.Event()
        switch = LocalKill(tmp_path / "KILLED", obeyed=pulled.set)

        async def record() -> bool:
            tries.append(len(tries) == 2)
            return tries[-1]

        watching = asyncio.create_task(switch.watch(record))
        await asyncio.sleep(1.0)
        assert switch.mode("live") == "live"
        loop = asyncio.get_running_loop()
        (tmp_path / "KILLED").touch()
        began = loop.time()
        await pulled.wait()
        assert loop.time() - began < 0.25
        (tmp_path / "KILLED").unlink()
        await watching
        assert tries == [False, False, True]
        assert switch.mode("live") == "halt"
        assert switch.applied(7).version == VERSION

    run_patient(body())
