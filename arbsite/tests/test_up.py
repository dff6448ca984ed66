"""The supervisor as real processes: one per home, restarts what dies, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from arbsite.embedded import Postgres
from arbsite.home import REPOSITORY, Home
from arbsite.processes import Plan, Program, product_programs
from arbsite.readiness import redis_answers
from arbsite.supervise import Supervisor, configuration

pytestmark = pytest.mark.timeout(90)


def _environment(home: Home) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "BUS_URL")
    }
    return inherited | {
        "SPREADLINE_HOME": str(home.path),
        "DJANGO_SETTINGS_MODULE": "arbsite.settings",
        "PYTHONUNBUFFERED": "1",
    }


def _start(home: Home, output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "manage.py", "up", "--only", "services"],
            cwd=REPOSITORY,
            env=_environment(home),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def _wait_for(output: Path, sentence: str, process: subprocess.Popen[bytes]) -> None:
    while sentence not in output.read_text():
        assert process.poll() is None, output.read_text()
        time.sleep(0.05)


def _family(process: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    return {child.name(): child for child in psutil.Process(process.pid).children(recursive=True)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("up") / "home")
    yield made
    root = Postgres(made).root
    if root != made.path:
        subprocess.run(["rm", "-rf", str(root)], check=True)


def test_one_supervisor_restarts_what_dies_and_stops_everything(home: Home, tmp_path: Path) -> None:
    output = tmp_path / "up.txt"
    process = _start(home, output)
    try:
        _wait_for(output, "services are up", process)
        second = subprocess.run(
            [sys.executable, "manage.py", "up", "--only", "services"],
            cwd=REPOSITORY,
            env=_environment(home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert f"already runs on {home.path} (pid {process.pid})" in second.stderr
        assert "Traceback" not in second.stderr

        with redis.Redis.from_url(home.redis_url()) as client:
            client.set("kept", "yes")
        family = _family(process)
        family["valkey-server"].kill()
        family["valkey-server"].wait(timeout=10)
        while not redis_answers(home.redis_url()):
            time.sleep(0.05)
        with redis.Redis.from_url(home.redis_url(), decode_responses=True) as client:
            assert client.get("kept") == "yes"
        family = _family(process)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=40)
    assert code == 0
    assert output.read_text().rstrip().endswith("spreadline | stopped")
    assert not [child for child in family.values() if child.is_running()]


def test_a_killed_supervisor_takes_its_children_along(home: Home, tmp_path: Path) -> None:
    output = tmp_path / "up.txt"
    process = _start(home, output)
    _wait_for(output, "services are up", process)
    family = list(_family(process).values())
    supervisord = psutil.Process(process.pid).children()[0]
    supervisord.kill()
    assert process.wait(timeout=30) == 1
    assert "the supervisor ended by itself" in output.read_text()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_killed_up_takes_everything_along(home: Home, tmp_path: Path) -> None:
    output = tmp_path / "up.txt"
    process = _start(home, output)
    _wait_for(output, "services are up", process)
    family = list(_family(process).values())
    process.kill()
    process.wait(timeout=10)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def test_a_nudge_knocks_at_the_supervisors_door_and_survives_its_absence(tmp_path: Path) -> None:
    home = Home(tmp_path)
    supervisor = Supervisor(home, [])
    supervisor.nudge()
    (home.path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(home.path / "run" / "supervisor.sock"))
        door.listen()
        door.settimeout(10)
        supervisor.nudge()
        visitor, _ = door.accept()
        with visitor:
            assert visitor.recv(1) == b""


def test_help_teaches() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "manage.py up --scenario calm --seed 3" in done.stdout


def _plan(tmp_path: Path, **changes: object) -> Plan:
    values = {"profile": "sim", "scenario": "busy", "seed": 7, "feeds": "inline"} | changes
    return Plan(home=Home(tmp_path), **values)  # type: ignore[arg-type]


COMMANDS = {"run_simulator", "run_relay", "run_engine", "run_feed"}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["simulator", "web", "relay", "worker", "beat", "engine"]),
        (
            {"feeds": "bus"},
            ["simulator", "kraken", "solana", "web", "relay", "worker", "beat", "engine"],
        ),
        ({"profile": "live"}, ["web", "relay", "worker", "beat", "engine"]),
        ({"only_services": True}, []),
    ],
)
def test_each_plan_has_its_processes(
    tmp_path: Path, changes: dict[str, object], names: list[str]
) -> None:
    programs, missing = product_programs(_plan(tmp_path, **changes), COMMANDS)
    assert [program.name for program in programs] == names
    assert missing == []


def test_the_engine_stops_first_and_the_services_last(tmp_path: Path) -> None:
    programs, _ = product_programs(_plan(tmp_path), COMMANDS)
    programs.append(Program(name="postgres", stage="services", command=("postgres", "50% off")))
    text = configuration(Home(tmp_path), programs, tmp_path / "s.sock")
    engine = text.partition("[group:engine]")[2]
    services = text.partition("[group:services]")[2]
    assert "priority=900" in engine
    assert "priority=100" in services
    assert "50%% off" in text


def test_the_engine_alone_is_started_on_its_processor(tmp_path: Path) -> None:
    programs, _ = product_programs(_plan(tmp_path, engine_processor=3), COMMANDS)
    text = configuration(Home(tmp_path), programs, tmp_path / "s.sock")
    placed = [line for line in text.splitlines() if "taskset --cpu-list 3" in line]
    assert len(placed) == 1
    assert "run_engine" in placed[0]
