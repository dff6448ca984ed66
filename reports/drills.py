"""Stops and deaths ordered on purpose on a simulated desk, so that promises have data.

Each drill waits for a trade that was just sent, so that there is something to stop: kill →
reset → live (what the kill left half done is flattened, as a person would), pause → resume,
and SIGKILL on the engine, which its supervisor starts again.
Called by `manage.py figures`. Not here: judging what was seen (`reactions`).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from io import StringIO
from typing import Literal

from django.core.management import call_command
from django.core.management.base import CommandError

from arbsite.clock import SystemClock, utc_now, uuid7
from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.models import User
from risk import services as risk
from risk.models import Control, Incident
from trading.models import EngineLease, EngineStart, Trade

Drill = Literal["kill", "pause", "death"]
WHO = "drill"
POLL_S = 0.01
# How long a drill waits for a trade to strike at; then it strikes at an idle desk.
PREY_S = 8.0
# What a trade needs to be parked, once its engine may act again.
PARKING_S = 0.5
# Strokes fall anywhere in a trade's usual life.
STROKE_S = 0.4
# A stop holds so long before it is lifted: what is in flight must have come to its end.
HOLD_S = 1.5
DEATH_LIMIT_S = 60.0
SHARD = "main"


class Drills:
    """The drills of one desk. `rng` shifts each stroke within the trade it strikes at."""

    def __init__(self, home: Home, rng: random.Random) -> None:
        self._home = home
        self._rng = rng
        self._clock = SystemClock()

    def perform(self, drill: Drill) -> None:
        """One drill, and back to LIVE. Raises SetupError when the desk does not come back."""
        self._wait_for_prey()
        time.sleep(self._rng.uniform(0.0, STROKE_S))
        if drill == "death":
            self._die()
        elif drill == "kill":
            self._kill()
            self._flatten_parked()
        else:
            self._pause()
        self._go_live()

    def _kill(self) -> None:
        risk.kill("*", user=WHO, key=str(uuid7()), reason="a drill")
        try:
            time.sleep(HOLD_S)
        finally:
            # Ctrl-C in a drill must not leave the desk killed.
            row = Incident.objects.exclude(state="closed").get(asset="*", rule="kill_switch")
            key, why = str(uuid7()), "the drill is over"
            risk.reset("*", user=WHO, key=key, reason=why, incident=row.number)
            self._go_live()

    def _pause(self) -> None:
        risk.pause("*", user=WHO, key=str(uuid7()), reason="a drill")
        try:
            time.sleep(HOLD_S)
        finally:
            risk.resume("*", user=WHO, key=str(uuid7()), reason="the drill is over")

    def _flatten_parked(self) -> None:
        """A kill parks half-done trades for a person: do what that person does."""
        time.sleep(PARKING_S)
        if not Trade.objects.filter(state="operator").exists():
            return
        person = next((user for user in User.objects.all() if user.has_perm("arbsite.trade")), None)
        if person is None:
            raise SetupError("A trade is parked and nobody here may flatten it.")
        try:
            call_command(
                "flatten", user=person.username, reason="a drill parked it", yes=True,
                stdout=StringIO(), stderr=StringIO(),
            )  # fmt: skip
        except CommandError as error:
            raise SetupError(f"A trade that a drill parked is still open: {error}") from error
        for control in Control.objects.all():
            if control.trips.keys() - risk.SELF_CLEARING:
                why = "the drill is over"
                risk.resume(control.scope, user=WHO, key=str(uuid7()), reason=why)

    def _wait_for_prey(self) -> None:
        since_ns = self._clock.now_ns()
        fresh = Trade.objects.filter(detect_ns__gte=since_ns, is_settled=False)
        self._wait(fresh.exists, PREY_S)

    def _die(self) -> None:
        """SIGKILL, and wait for the next engine's reconciled start."""
        before = EngineLease.objects.get(shard=SHARD)
        os.kill(self._engine_pid(before), signal.SIGKILL)
        starts = EngineStart.objects.filter(
            shard=SHARD, epoch__gt=before.epoch, reconciled_ns__isnull=False
        )
        if not self._wait(starts.exists, DEATH_LIMIT_S):
            raise SetupError(f"No engine came back within {DEATH_LIMIT_S:.0f} s; see its log.")

    def _engine_pid(self, lease: EngineLease) -> int:
        """The engine's process, by its own file and by the lease: both must agree."""
        file = self._home.engine_pid_file(SHARD)
        pid = file.read_text().strip() if file.exists() else ""
        if not pid or lease.holder.rpartition(":")[2] != pid:
            raise SetupError("The engine of this home is not the one that holds the lease.")
        return int(pid)

    def _go_live(self) -> None:
        """Many starts in a row put an engine into OBSERVE; a drill leaves it as it was."""
        if Control.objects.get(scope="*").mode == "observe":
            risk.go_live("*", user=WHO, key=str(uuid7()), reason="the drill is over")

    def _wait(self, is_so: Callable[[], bool], limit_s: float) -> bool:
        deadline_ns = self._clock.monotonic_ns() + round(limit_s * 1e9)
        while not is_so():
            if self._clock.monotonic_ns() > deadline_ns:
                return False
            time.sleep(POLL_S)
        return True


def require_running() -> None:
    """Raise SetupError unless an engine of this home is alive and LIVE."""
    lease = EngineLease.objects.filter(shard=SHARD).first()
    silent_s = (utc_now() - lease.heartbeat_at).total_seconds() if lease else None
    if silent_s is None or silent_s > 5:
        raise SetupError("No engine runs here: start a simulated desk with `make run` and wait.")
    control = Control.objects.get(scope="*")
    if control.effective_mode != "live":
        raise SetupError(
            f"The engine is {control.get_mode_display()}: bring it to LIVE from the console first."
        )
