"""The still venues on real ports, and engine processes that a test starts, stops and judges.

The verdict is the seeded proof's own judge plus the stories' `verify`: rows and their
history against the venues' truth.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import psutil

from arbsite.home import REPOSITORY
from feeds.sim.hosting import Host, serve
from trading.intent import Intent
from trading.proof.database import ProofDatabase
from trading.proof.judge import Judge
from trading.proof.script import Script
from trading.proof.witness import Witness
from trading.tests.kills.brisk import FACTOR, run_brisk
from trading.tests.kills.engine import Order
from trading.tests.stories.desk import Scene

# Real seconds: a machine under load is slow, a process that hangs is not waited for for ever.
LONGEST_S = 60.0
# The proof's database keeps a history; this takes it away again.
FORGET = """
DROP TABLE IF EXISTS proof_history CASCADE;
DROP FUNCTION IF EXISTS proof_note_attempt CASCADE;
DROP FUNCTION IF EXISTS proof_note_trade CASCADE;
DROP FUNCTION IF EXISTS proof_note_day CASCADE;
"""


class EngineHandle:
    """A running engine process and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._changed:
                self.said.append(line.decode().rstrip())
                self._changed.notify_all()
        async with self._changed:
            self.said.append("")
            self._changed.notify_all()

    async def until(self, word: str) -> None:
        """Wait until it has said a word; its end without it fails the test."""
        async with asyncio.timeout(LONGEST_S * FACTOR), self._changed:
            await self._changed.wait_for(lambda: word in self.said or "" in self.said)
        assert word in self.said, self.said

    async def until_stopped(self) -> None:
        """Wait until the process stands still (SIGSTOP)."""
        process = psutil.Process(self.process.pid)
        async with asyncio.timeout(LONGEST_S * FACTOR):
            while process.status() != psutil.STATUS_STOPPED:
                await asyncio.sleep(0.1)

    async def until_over(self) -> int:
        """Wait for its end; returns the exit code (negative: the signal)."""
        async with asyncio.timeout(LONGEST_S * FACTOR):
            code = await self.process.wait()
            await self._reading
        return code

    async def kill(self) -> None:
        """SIGKILL whatever still runs."""
        if self.process.returncode is None:
            self.process.kill()
        await self.until_over()


class House:
    """Venues, database and processes of one test."""

    def __init__(self, dsn: str, seed: str) -> None:
        self.scene = Scene(dsn, seed=seed)
        self.venues = self.scene.venues
        self._hosts: list[Host] = []
        self.engines: list[EngineHandle] = []

    async def open(self) -> None:
        """Quote the book and listen."""
        self.venues.start()
        for server in (self.venues.kraken, *self.venues.nodes):
            self._hosts.append(await serve([("/", server)]))
        self.database = await ProofDatabase.open(self.scene.dsn)

    async def close(self) -> None:
        """End every process and server of this test."""
        for engine in self.engines:
            await engine.kill()
        for host in self._hosts:
            await host.stop()
        await self.venues.stop()
        await self.database.outside.execute(FORGET)
        await self.database.close()

    async def engine(
        self,
        place: str = "",
        *,
        intent: Intent | None = None,
        number: int = signal.SIGKILL,
        max_intent_age_s: float = 60.0,
        lease_silent_s: float = 60.0,
        open_files: int = 0,
    ) -> EngineHandle:
        """Start a process that is to end (or stand still) at a place."""
        kraken, *solana = [host.port for host in self._hosts]
        order = Order(
            dsn=self.scene.dsn,
            kraken_port=kraken,
            solana_ports=(solana[0], solana[1]),
            place=place,
            signal=number,
            max_intent_age_s=max_intent_age_s,
            lease_silent_s=lease_silent_s,
            open_files=open_files,
            intent=intent,
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "trading.tests.kills.engine",
            msgspec.json.encode(order).decode(),
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        handle = EngineHandle(process)
        self.engines.append(handle)
        return handle

    async def finish(self) -> None:
        """Let a last engine finish whatever was left, then judge."""
        heir = await self.engine()
        await heir.until("idle")
        await self.judge()
        await heir.kill()

    async def judge(self) -> None:
        """Hold rows, history and the venues' truth against each other."""
        await self.scene.verify()
        witness = Witness(self.database, self.venues.clock)
        script = Script(
            seed=0, leg_order="auto", max_notional_usd=0, daily_cap_usd=1_000_000, acts=()
        )
        await Judge(script, self.venues, self.database, witness).judge()
        assert witness.violations == []

    @property
    def orders(self) -> int:
        """How many orders the exchange has really taken."""
        return len(self.venues.exchange.accounts.orders)


def in_house(dsn: str, seed: str, body: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    """Run one test body in a house of its own."""

    async def whole() -> None:
        house = House(dsn, seed)
        try:
            await house.open()
            await body(house)
        finally:
            await house.close()

    run_brisk(whole())
