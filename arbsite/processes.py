"""Which processes make up the product, how each is started and in which order they stop.

One list, read by the `up` command and turned into a supervisord configuration by
`supervise`. Not here: what a process does; each is a management command of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from django.conf import settings

from arbsite.embedded import Service
from arbsite.home import REPOSITORY, Home

Stage = Literal["services", "venues", "feeds", "console", "engine"]
# Supervisord stops the highest number first and waits for it: the engine finishes its
# trades while venues, database and bus still run.
STAGES: dict[Stage, int] = {
    "services": 100,
    "venues": 200,
    "feeds": 300,
    "console": 400,
    "engine": 900,
}

# Twisted lets 50 wait for its accept and the kernel drops the others' first packets: a console
# then stands 1, 3 or 7 s before a server that is only busy. The kernel caps it at somaxconn.
CONNECTIONS_AT_THE_DOOR = 1024
# Daphne's 5 s run from the whole request to our own accept, so they guard against no slow
# client: they hang up without a word on whoever our application has not come to yet.
HANDSHAKE_S = 20


@dataclass(frozen=True)
class Program:
    """One supervised process. `stop_wait_s` passes before it is killed.

    A loaded interpreter needs a second to end and several end at once: 5 s were too few
    on two busy cores. `processor`: the only one it may run on.
    """

    name: str
    stage: Stage
    command: tuple[str, ...]
    stop_wait_s: int = 10
    stop_signal: Literal["TERM", "INT"] = "TERM"
    user: str | None = None
    directory: Path = REPOSITORY
    environment: dict[str, str] = field(default_factory=dict)
    processor: int | None = None


@dataclass(frozen=True)
class Plan:
    """What one run of the product consists of."""

    home: Home
    profile: str
    scenario: str
    seed: int
    feeds: Literal["inline", "bus"]
    only_services: bool = False
    engine_processor: int | None = None


def service_programs(services: list[Service]) -> list[Program]:
    """The embedded servers as programs."""
    return [
        Program(
            name=service.name,
            stage="services",
            command=service.command,
            stop_wait_s=30,
            # PostgreSQL's fast shutdown; TERM would wait for every client to leave.
            stop_signal="INT" if service.name == "postgres" else "TERM",
            user=service.user,
            directory=service.directory,
            environment=service.environment,
        )
        for service in services
    ]


def web_command(
    port: int, application: str = "arbsite.asgi:application", *, is_proxied: bool
) -> tuple[str, ...]:
    """Daphne on loopback, ready for every console to come back at once."""
    return (
        sys.executable,
        "-m",
        "daphne",
        f"--endpoint=tcp:port={port}:interface=127.0.0.1:backlog={CONNECTIONS_AT_THE_DOOR}",
        f"--websocket_connect_timeout={HANDSHAKE_S}",
        *(["--proxy-headers"] if is_proxied else []),
        "--no-server-name",
        "--verbosity=0",
        application,
    )


def product_programs(plan: Plan, commands: Collection[str]) -> tuple[list[Program], list[str]]:
    """The product's own processes, and the names of those whose command does not exist.

    `commands` are the management commands this checkout has.
    """
    if plan.only_services:
        return [], []
    programs = [
        *_venue_programs(plan),
        *_feed_programs(plan),
        *_console_programs(plan),
        replace(
            _managed(plan, "engine", "engine", "run_engine", "--feeds", plan.feeds, stop_wait_s=30),
            processor=plan.engine_processor,
        ),
    ]
    present = [program for program in programs if _exists(program, commands)]
    missing = [program.name for program in programs if not _exists(program, commands)]
    return present, missing


def _exists(program: Program, commands: Collection[str]) -> bool:
    parts = program.command
    return not parts[1].endswith("manage.py") or parts[2] in commands


def _managed(
    plan: Plan, name: str, stage: Stage, command: str, *arguments: str, stop_wait_s: int = 10
) -> Program:
    """A process that is a management command, with its metrics port."""
    environment = {"SPREADLINE_PROCESS": name}
    port = plan.home.ports().get(f"metrics_{name}")
    if port is not None:
        environment["SPREADLINE_METRICS_PORT"] = str(port)
    return Program(
        name=name,
        stage=stage,
        command=(sys.executable, str(REPOSITORY / "manage.py"), command, *arguments),
        stop_wait_s=stop_wait_s,
        environment=environment,
    )


def _venue_programs(plan: Plan) -> list[Program]:
    """The simulated venues; a paper or live desk talks to the real ones."""
    if plan.profile != "sim":
        return []
    ports = plan.home.ports()
    return [
        _managed(
            plan,
            "simulator",
            "venues",
            "run_simulator",
            f"--scenario={plan.scenario}",
            f"--seed={plan.seed}",
            f"--home={plan.home.path / 'simulator'}",
            f"--kraken-port={ports['kraken']}",
            f"--solana-port-a={ports['solana_a']}",
            f"--solana-port-b={ports['solana_b']}",
            f"--jupiter-port={ports['jupiter']}",
        )
    ]


def _feed_programs(plan: Plan) -> list[Program]:
    if plan.feeds == "inline":
        return []
    return [_managed(plan, venue, "feeds", "run_feed", venue) for venue in ("kraken", "solana")]


def _console_programs(plan: Plan) -> list[Program]:
    ports = plan.home.ports()
    celery = (sys.executable, "-m", "celery", "--quiet", "--app", "arbsite.celery")
    web = Program(
        name="web",
        stage="console",
        # Only a proxy in front makes the forwarded address worth believing.
        command=web_command(ports["web"], is_proxied=settings.IS_HTTPS),
        environment={"SPREADLINE_PROCESS": "web", "DATABASE_POOL": "1"},
    )
    worker = Program(
        name="worker",
        stage="console",
        command=(
            *celery,
            "worker",
            "--pool=threads",
            "--concurrency=2",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=WARNING",
        ),
        stop_wait_s=15,
        environment={
            "SPREADLINE_PROCESS": "worker",
            "SPREADLINE_METRICS_PORT": str(ports["metrics_worker"]),
        },
    )
    beat = Program(
        name="beat",
        stage="console",
        command=(*celery, "beat", "--pidfile=", "--loglevel=WARNING"),
        environment={"SPREADLINE_PROCESS": "beat"},
    )
    return [web, _managed(plan, "relay", "console", "run_relay"), worker, beat]
