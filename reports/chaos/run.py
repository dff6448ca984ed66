"""Carries a chaos plan out on the running desk, and watches it from outside.

Blocking and wall-clock by nature: the desk under it is real processes. What it knows of the
desk is what an operator has: its database, its supervisor, the simulator's fault page.
"""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q

from arbsite.clock import Clock
from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.supervised import running_pids
from reports import selectors
from reports.chaos.account import Account
from reports.chaos.board import FaultPage
from reports.chaos.plan import KILLED, Act
from reports.profiles import repeated
from trading.models import Attempt, Trade

LOOK_EVERY_S = 1.0
# Each program is back within its start-up and the supervisor's growing delay.
BACK_WITHIN_S = 90.0
SETTLES_WITHIN_S = 180.0
DATABASE_AWAY = (OperationalError, InterfaceError)
Tell = Callable[[str], None]


class ChaosRun:
    """One run. `tell` is given a live line each second."""

    def __init__(self, home: Home, page: FaultPage, clock: Clock, tell: Tell) -> None:
        self._home = home
        self._page = page
        self._clock = clock
        self._tell = tell
        self._since_ns = clock.now_ns()
        self._began_ns = clock.monotonic_ns()
        self._expected: set[str] = set()

    def carry_out(self, account: Account, acts: Sequence[Act], run_s: float) -> None:
        """Do every act at its time until the run is over; then end all faults and judge."""
        self._expected = set(running_pids(self._home)) & set(KILLED)
        waiting = list(acts)
        looked_s = 0.0
        while (now_s := self._elapsed_s()) < run_s:
            while waiting and waiting[0].at_s <= now_s:
                self._do(waiting.pop(0), account)
            if now_s - looked_s >= LOOK_EVERY_S:
                looked_s = now_s
                self._look(account, run_s)
            time.sleep(0.05)
        self._finish(account)

    def _elapsed_s(self) -> float:
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9

    def _do(self, act: Act, account: Account) -> None:
        if act.is_kill:
            self._kill(act.name, account)
            return
        is_done = self._page.turn(act)
        account.faults += is_done
        text = f"{act.name} = {act.value} for {act.seconds:.1f} s"
        account.note(self._elapsed_s(), text if is_done else f"{text}: the simulator is away")

    def _kill(self, program: str, account: Account) -> None:
        pid = running_pids(self._home).get(program)
        if pid is None:
            account.note(self._elapsed_s(), f"{program} is not running, so not killed")
            return
        os.kill(pid, signal.SIGKILL)
        account.count_kill(program)
        account.note(self._elapsed_s(), f"kill -9 {program}")

    # ---- watching ---------------------------------------------------------------------

    def _look(self, account: Account, run_s: float) -> None:
        faults = ", ".join(self._page.on()) or "none"
        try:
            figures = self._figures(account)
        except DATABASE_AWAY:
            connection.close()
            figures = "the database is away"
        self._tell(f"{self._elapsed_s():5.0f}/{run_s:.0f} s  {figures}  faults on: {faults}")

    def _figures(self, account: Account) -> str:
        trades = Trade.objects.filter(detect_ns__gt=self._since_ns)
        account.trades = trades.count()
        account.captures = trades.filter(outcome="both").count()
        names = Attempt.objects.exclude(order_id="").values_list("order_id", flat=True)
        tries = selectors.tries_per_window().values()
        twice = len(repeated(list(names))) + sum(count > 1 for count in tries)
        unproven = trades.exclude(state="closed").count()
        return (
            f"trades {account.trades}  captures {account.captures}  open {unproven}"
            f"  duplicates {twice}  kills {sum(account.kills.values())}"
        )

    # ---- the end ----------------------------------------------------------------------

    def _finish(self, account: Account) -> None:
        account.note(self._elapsed_s(), "all faults end; the desk settles")
        away = self._until_back()
        for program in sorted(away):
            account.note(self._elapsed_s(), f"{program} is still away")
        self._tell("settling and comparing the books")
        audit = self._audit(account)
        self._look(account, self._elapsed_s())
        account.judge(audit, self._silent(), sorted(away))
        account.note(self._elapsed_s(), "judged")

    def _until_back(self) -> set[str]:
        """Wait for every program of the start, and for the simulator to take the reset."""
        deadline_s = self._elapsed_s() + BACK_WITHIN_S
        while True:
            away = self._expected - set(running_pids(self._home))
            if not self._page.reset():
                away.add("simulator")
            if not away or self._elapsed_s() > deadline_s:
                return away
            time.sleep(0.5)

    def _audit(self, account: Account) -> dict[str, Any]:
        """`audit_run --settle`, tried again while the database comes back; {} when it cannot."""
        deadline_s = self._elapsed_s() + SETTLES_WITHIN_S
        while self._elapsed_s() < deadline_s:
            said = io.StringIO()
            try:
                call_command("audit_run", settle=True, stdout=said, stderr=said)
            except SystemExit:
                pass
            except DATABASE_AWAY:
                connection.close()
                time.sleep(1.0)
                continue
            except CommandError as error:
                account.note(self._elapsed_s(), str(error))
                return {}
            found = [line for line in said.getvalue().splitlines() if line.startswith("{")]
            report: dict[str, Any] = json.loads(found[-1]) if found else {}
            return report
        return {}

    def _silent(self) -> list[str]:
        """Trades of this run that left something over and do not say so."""
        silent = Q(state="operator") | Q(state="closed") & ~Q(residual_base=0)
        found = Trade.objects.filter(silent, reason="", detect_ns__gt=self._since_ns)
        return [str(trade) for trade in found.values_list("id", flat=True)]


def check_is_running(home: Home) -> None:
    """Raise SetupError unless the desk's engine and its simulator run."""
    missing = {"engine", "simulator"} - set(running_pids(home))
    if missing:
        raise SetupError(f"Not running on {home.path}: {', '.join(sorted(missing))}.")
