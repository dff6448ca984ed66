"""The engine's link to the desk: controls and settings down, its own stops up.

Reads on every NOTIFY of PostgreSQL and each second besides, so that a pause reaches the
engine when the bus is away. Stops and their lifting go through `risk.services`, the same
door that people use; the engine obeys only what comes back from the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import psycopg
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections

from arbsite.clock import Clock
from arbsite.errors import DomainError
from arbsite.logs import event_logger
from risk import services as risk
from trading.effects import RequestResume, RequestStop
from trading.inputs import EngineInput, SettingsApplied
from trading.process.desk_state import DeskState
from trading.storage.lease import Lease

log = event_logger(__name__)
POLL_S = 1.0
RETRY_S = 0.5
DatabaseAway = (OperationalError, InterfaceError)


def _trip(scope: str, rule: str, text: str, value: str, limit: str) -> None:
    close_old_connections()
    risk.trip(scope, rule, text=text, value=value, limit=limit)


def _alarm(scope: str, rule: str, text: str, value: str, limit: str) -> None:
    close_old_connections()
    risk.raise_alarm(scope, rule, text=text, value=value, limit=limit)


def _kill(key: str) -> None:
    close_old_connections()
    risk.kill(risk.WHOLE_ENGINE, user="local", key=key, reason="Killed on the engine's machine.")


class DeskLink:
    """Keeps the engine's picture of the desk current."""

    def __init__(
        self,
        dsn: str,
        state: DeskState,
        clock: Clock,
        *,
        apply: Callable[[EngineInput], None],
        show_status: Callable[[], Awaitable[None]],
    ) -> None:
        self._dsn = dsn
        self._state = state
        self._clock = clock
        self._apply = apply
        self._show_status = show_status
        self._reload = asyncio.Event()
        # Set by the database's wake-up of that name.
        self.wakes: dict[str, asyncio.Event] = {}

    async def listen(self) -> None:
        """Wake up on PostgreSQL's own notifications, through lost connections."""
        while True:
            try:
                await self._listen_connected()
            except psycopg.OperationalError as error:
                log.warning("desk.not_listening", error=str(error)[:200])
            await asyncio.sleep(RETRY_S)

    async def _listen_connected(self) -> None:
        conn = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
        try:
            await conn.execute("LISTEN spreadline")
            async for note in conn.notifies():
                if note.payload in ("control", "config"):
                    self._reload.set()
                elif note.payload in self.wakes:
                    self.wakes[note.payload].set()
        finally:
            await conn.close()

    async def follow(self) -> None:
        """Read when woken and each second."""
        while True:
            # Not wait_for: before Python 3.12 it loses a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._reload.wait()
            self._reload.clear()
            await self.read()

    async def read(self) -> None:
        """Put new settings, controls and used limits in force; echo controls at once."""
        now_ns = self._clock.now_ns()
        try:
            settings = await self._state.read_settings()
            controls = await self._state.read_controls()
            usage = await self._state.read_day_usage()
            desk = await self._state.read_desk_usage()
        except psycopg.OperationalError as error:
            # No intent can be recorded meanwhile either; the last controls stay in force.
            log.warning("desk.not_read", error=str(error)[:200])
            return
        for changed in settings:
            self._apply(SettingsApplied(settings=changed, at_ns=now_ns))
            log.info("config.applied", asset=changed.asset, version=changed.version)
        for control in controls:
            self._apply(control.applied(now_ns))
            log.info("control.applied", scope=control.scope, mode=control.effective_mode)
        for row in usage:
            self._apply(row)
        if desk is not None:
            self._apply(desk)
        if controls:
            await self._show_status()

    async def obey_restart_rule(self, lease: Lease, most_starts: int) -> None:
        """Too many starts in ten minutes: something is wrong that trading will not cure.

        A desk that people or rules already hold stricter than LIVE is left as it is.
        """
        whole = self._state.controls.get(risk.WHOLE_ENGINE)
        if lease.recent_starts <= most_starts or whole is None or whole.mode != "live":
            return
        text = f"{lease.recent_starts} engine starts within 10 minutes"
        await sync_to_async(risk.observe)(
            risk.WHOLE_ENGINE, user="engine", key=f"starts-{lease.epoch}", reason=text
        )
        log.error("engine.too_many_starts", starts=lease.recent_starts)
        await self.read()

    async def stop(self, request: RequestStop) -> None:
        """Carry the engine's own trip to the database."""
        await self.raise_stop(
            request.scope, request.rule, request.text, request.value, request.limit
        )

    async def raise_stop(self, scope: str, rule: str, text: str, value: str, limit: str) -> None:
        """HEDGE-ONLY for a scope, with an incident."""
        log.warning("control.tripped", scope=scope, rule=rule, text=text)
        while True:
            try:
                await sync_to_async(_trip)(scope, rule, text, value, limit)
                break
            except DatabaseAway as error:
                # A stop waits for the database as long as it takes; nothing new starts meanwhile.
                log.warning("control.not_stored", rule=rule, error=str(error)[:200])
                await asyncio.sleep(RETRY_S)
        self._reload.set()

    async def raise_alarm(self, scope: str, rule: str, text: str, value: str, limit: str) -> None:
        """Open an incident that stops nothing; one that cannot be stored stays in the log."""
        log.warning("alarm.raised", scope=scope, rule=rule, text=text, value=value)
        try:
            await sync_to_async(_alarm)(scope, rule, text, value, limit)
        except DatabaseAway as error:
            log.warning("alarm.not_stored", rule=rule, error=str(error)[:200])

    async def record_local_kill(self) -> bool:
        """Write a kill that was pulled on this machine; False while the database is away."""
        try:
            await sync_to_async(_kill)(f"local-{self._clock.now_ns()}")
        except DatabaseAway as error:
            log.warning("control.not_stored", rule="local_kill", error=str(error)[:200])
            return False
        self._reload.set()
        return True

    async def lift(self, request: RequestResume) -> None:
        """Lift a stop that the engine itself may lift."""
        try:
            await sync_to_async(risk.lift)(
                request.scope, request.rule, reason="data clean for the resume time"
            )
        except DomainError as error:
            log.warning("control.not_lifted", rule=request.rule, why=str(error))
        self._reload.set()
