"""The whole product as a test drives it: started by `up`, killed by pid, read from outside.

Knows nothing of the product's inside except what an operator has: its folder, its database,
its pages and its commands. Signals go only to processes below this desk's own `up`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg

from arbsite.embedded import Postgres
from arbsite.home import DEFAULT_PORTS, REPOSITORY, Home
from arbsite.ports import is_free

PROGRAMS = ("postgres", "valkey", "simulator", "web", "relay", "worker", "beat", "engine")
POLL_S = 0.05
# Below the range from which the kernel takes the near end of outgoing connections: there a
# client that knocks at the port of a killed server can end up connected to itself.
PORTS_FROM, PORTS_TO = 20_000, 32_000

Found = TypeVar("Found")


@dataclass(frozen=True)
class Answer:
    """What the web server said; `body` is the decoded JSON, else the text."""

    status: int
    body: Any
    headers: dict[str, str]


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens; another run starts its search elsewhere."""
    first = PORTS_FROM + os.getpid() * 64 % (PORTS_TO - PORTS_FROM)
    order = [*range(first, PORTS_TO), *range(PORTS_FROM, first)]
    free: list[int] = []
    for port in order:
        if is_free(port):
            free.append(port)
        if len(free) == count:
            return free
    raise AssertionError("no free ports")


class Desk:
    """One installation in `home`, running from `start` to `stop`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.username = ""
        self.password = ""
        self._up: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._token_until = 0.0
        self.environment = self._clean_environment()

    # ---- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Run `manage.py up` and wait for its console; fails with what it printed."""
        ports = dict(zip(DEFAULT_PORTS, _free_ports(len(DEFAULT_PORTS)), strict=True))
        self.home.path.mkdir(parents=True, exist_ok=True)
        self.home.ports_file.write_text(json.dumps(ports))
        command = ["up", "--scenario", "busy", "--seed", "7", "--web-port", str(ports["web"])]
        with self._output.open("wb") as output:
            self._up = subprocess.Popen(
                [sys.executable, "manage.py", *command],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait("the console's address", lambda: "spreadline | open http://" in self.said(), 120)
        line = next(line for line in self.said().splitlines() if "first administrator (" in line)
        self.username, self.password = line.split()[-2:]

    def stop(self) -> tuple[int, list[psutil.Process]]:
        """Ctrl-C; returns the exit code of `up` and whatever it left running."""
        assert self._up is not None
        family = psutil.Process(self._up.pid).children(recursive=True)
        for process in family:
            if process.is_running() and process.status() == psutil.STATUS_STOPPED:
                process.resume()
        self._up.send_signal(signal.SIGINT)
        code = self._up.wait(timeout=150)
        _, alive = psutil.wait_procs(family, timeout=5)
        return code, alive

    def abandon(self) -> None:
        """End everything of this desk at once (after a failed start or stop)."""
        if self._up is None:
            return
        try:
            family = psutil.Process(self._up.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        self._up.kill()
        self._up.wait(timeout=10)
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=10)

    def remove(self) -> None:
        """Delete the desk's folders."""
        for path in {Postgres(self.home).root, self.home.path}:
            shutil.rmtree(path, ignore_errors=True)

    def said(self) -> str:
        """Everything `up` has printed."""
        return self._output.read_text(errors="replace")

    def log(self, program: str) -> str:
        """The log file of one program."""
        path = self.home.logs / f"{program}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---- processes -------------------------------------------------------------------

    def processes(self) -> dict[str, psutil.Process]:
        """The running programs by name."""
        assert self._up is not None
        found: dict[str, psutil.Process] = {}
        for supervisor in psutil.Process(self._up.pid).children():
            for process in supervisor.children():
                try:
                    name = process.environ().get("SPREADLINE_PROCESS", process.name())
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                found[name.removesuffix("-server")] = process
        return {name: process for name, process in found.items() if name in PROGRAMS}

    def kill(self, program: str) -> psutil.Process:
        """SIGKILL, and wait until it is gone; returns what it was."""
        process = self.processes()[program]
        process.kill()
        psutil.wait_procs([process], timeout=10)
        return process

    def wait_restarted(self, program: str, killed: psutil.Process) -> None:
        """Wait until the supervisor has put another process in the place of `killed`."""

        def is_new() -> bool:
            process = self.processes().get(program)
            return process is not None and process.pid != killed.pid

        self.wait(f"{program} restarted", is_new, 60)

    @contextmanager
    def frozen(self, program: str) -> Iterator[None]:
        """Hold a program with SIGSTOP."""
        process = self.processes()[program]
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    # ---- waiting ---------------------------------------------------------------------

    def wait(self, what: str, condition: Callable[[], Found], timeout_s: float) -> Found:
        """Poll until the condition holds and return it; the time limit is a failure."""
        assert self._up is not None
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert self._up.poll() is None, f"`up` ended while waiting for {what}:\n{self.said()}"
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
            time.sleep(POLL_S)
        return found

    # ---- reading ---------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the product's database."""
        with psycopg.connect(
            self.home.database_url(), autocommit=True, connect_timeout=3
        ) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    def value(self, query: str, *values: object) -> Any:
        """The one value a query gives."""
        [(value,)] = self.rows(query, *values)
        return value

    def settled_since(self, at_ns: int) -> int:
        """How many trades were decided after an instant and have both legs' outcomes.

        0 while the database is away.
        """
        query = "select count(*) from trading_trade where detect_ns > %s and is_settled"
        try:
            return int(self.value(query, at_ns))
        except psycopg.OperationalError:
            return 0

    # ---- commands and pages ----------------------------------------------------------

    def audit(self) -> dict[str, Any]:
        """`manage.py audit_run --settle`: its figures, the exit code as `exit_code`."""
        done = subprocess.run(
            [sys.executable, "manage.py", "audit_run", "--settle", "--timeout", "120"],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        lines = done.stdout.strip().splitlines()
        assert lines, done.stderr
        return {**json.loads(lines[-1]), "exit_code": done.returncode}

    @property
    def url(self) -> str:
        """The console's address."""
        return f"http://127.0.0.1:{self.home.ports()['web']}/"

    def faults(self, name: str, value: object, seconds: float | None = None) -> None:
        """Turn a fault knob of the simulated venues."""
        order = {"name": name, "value": value}
        if seconds is not None:
            order["seconds"] = seconds
        answer = self._request(
            self.home.ports()["kraken"], "POST", "/sim/faults", json.dumps(order).encode(), {}
        )
        assert answer.status == 200, answer.body

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask the web server as the first administrator; `raw` is sent as it is."""
        sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        named = {"Authorization": f"Bearer {self._access()}", **(headers or {})}
        return self._request(self.home.ports()["web"], method, path, sent, named)

    def anonymous(self, method: str, path: str, body: object = None) -> Answer:
        """Ask the web server as nobody."""
        sent = b"" if body is None else json.dumps(body).encode()
        return self._request(self.home.ports()["web"], method, path, sent, {})

    def _access(self) -> str:
        if time.monotonic() > self._token_until:
            credentials = {"username": self.username, "password": self.password}
            answer = self.anonymous("POST", "/v1/auth/token", credentials)
            assert answer.status == 200, answer.body
            # It lives for five minutes.
            self._token, self._token_until = answer.body["access"], time.monotonic() + 200
        return self._token

    def _request(
        self, port: int, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        kind = {"Content-Type": "application/json"} if body else {}
        try:
            connection.request(method, path, body, kind | headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        is_json = "json" in response.getheader("Content-Type", "")
        return Answer(
            response.status, json.loads(text) if is_json and text else text, dict(response.headers)
        )

    # ---- surroundings ----------------------------------------------------------------

    @property
    def _output(self) -> Path:
        return self.home.path / "up.txt"

    def _clean_environment(self) -> dict[str, str]:
        """The product's own: nothing of the test run's servers and settings."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "BUS_URL")
            and not name.startswith(("SPREADLINE_", "DJANGO_", "PYTEST_"))
        }
        return inherited | {
            "SPREADLINE_HOME": str(self.home.path),
            "SPREADLINE_PROFILE": "sim",
            "DJANGO_SETTINGS_MODULE": "arbsite.settings",
            # The kills of these tests must not look like an engine that keeps failing.
            "SPREADLINE_MAX_ENGINE_STARTS": "1000",
            "PYTHONUNBUFFERED": "1",
        }
