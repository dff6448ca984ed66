"""Start the whole product with one command and stop it with Ctrl-C.

The one supervisor of a machine: prepares the home, starts the embedded servers, brings
the database up to date, starts every process, prints one URL and then one readable log.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from arbsite.clock import SystemClock
from arbsite.embedded import Postgres, Service, prepare_home, prepare_valkey
from arbsite.errors import SetupError
from arbsite.follow import Console
from arbsite.home import REPOSITORY, Home
from arbsite.management.commands.prepare import CREDENTIALS_FILE
from arbsite.ports import settle_ports
from arbsite.processes import Plan, product_programs, service_programs
from arbsite.processors import engine_processor, leave_to_engine
from arbsite.readiness import (
    http_answers,
    port_answers,
    postgres_answers,
    redis_answers,
    wait_until,
)
from arbsite.supervise import HomeLock, Supervisor
from arbsite.wal_ahead import lay_out

_POLL_S = 0.2
_STOP_LIMIT_S = 120
_CLOCK = SystemClock()

_EXAMPLES = """examples:
  manage.py up                            the demo: simulated venues, scenario busy
  manage.py up --scenario calm --seed 3   another world
  manage.py up --web-port 9000            another address for the console
  manage.py up --only services            just PostgreSQL and Valkey, for development
  manage.py up --feeds bus                feeds in processes of their own

DATABASE_URL, REDIS_URL and BUS_URL replace the embedded servers by your own.
Data, logs and generated secrets live in SPREADLINE_HOME (default: .spreadline)."""


class StopAsked(Exception):
    """Ctrl-C or a signal: stop everything in order and exit 0."""


class Command(BaseCommand):
    """The supervisor."""

    help = __doc__ or ""
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument(
            "--profile",
            choices=settings.PROFILES,
            default=settings.SPREADLINE_PROFILE,
            help="sim: simulated venues; paper: real data, no orders; live: real orders",
        )
        parser.add_argument(
            "--scenario",
            default=settings.SPREADLINE_SCENARIO,
            help="world of the simulator: calm, normal, violent or busy (default: %(default)s)",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=settings.SPREADLINE_SEED,
            help="seed of that world; the same seed gives the same world (default: %(default)s)",
        )
        parser.add_argument(
            "--web-port",
            type=_port,
            default=_port(os.environ["SPREADLINE_WEB_PORT"])
            if os.environ.get("SPREADLINE_WEB_PORT")
            else None,
            help="port of the console; without it 8000 or the next free one",
        )
        parser.add_argument(
            "--feeds",
            choices=("inline", "bus"),
            default="inline",
            help="inline: inside the engine (fastest); bus: processes of their own",
        )
        parser.add_argument(
            "--only",
            choices=("services",),
            help="start just the embedded PostgreSQL and Valkey",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _ask_to_stop)
        home: Home = settings.HOME
        only_services = options["only"] == "services"
        plan = Plan(
            home=home,
            profile=options["profile"],
            scenario=options["scenario"],
            seed=options["seed"],
            feeds=options["feeds"],
            only_services=only_services,
            engine_processor=None if only_services else _engine_processor(),
        )
        lock = HomeLock(home)
        try:
            prepare_home(home)
            self._run(plan, lock.acquire(), options["web_port"])
        except SetupError as error:
            raise CommandError(str(error)) from error
        except StopAsked:
            self._say("stopped before everything was up")
        finally:
            lock.release()

    def _run(self, plan: Plan, lock: int, web_port: int | None) -> None:
        begun_ns = _CLOCK.monotonic_ns()
        services = self._prepare_services(plan, web_port)
        programs, missing = product_programs(plan, get_commands())
        for name in missing:
            self._say(f"{name}: its command is not part of this checkout, left out")
        programs = service_programs(services) + programs
        names = [program.name for program in programs]
        console = Console(plan.home.logs, names, sys.stdout, colour=sys.stdout.isatty())
        supervisor = Supervisor(plan.home, programs)
        environment = _child_environment(plan)
        if plan.engine_processor is not None:
            leave_to_engine(plan.engine_processor)
            self._say(f"processor {plan.engine_processor} is the engine's alone")
        try:
            self._say("starting PostgreSQL and Valkey" if services else "starting")
            supervisor.start(environment, lock)
            self._wait_services(plan, supervisor)
            if plan.only_services:
                self._say(f"services are up; other commands find them through {plan.home.path}")
            else:
                self._prepare_database(plan, environment)
                self._start_product(plan, supervisor)
                seconds = (_CLOCK.monotonic_ns() - begun_ns) / 1e9
                self._announce(plan, seconds)
            self._follow(supervisor, console)
        except StopAsked:
            pass
        finally:
            self._stop(supervisor, console)

    def _prepare_services(self, plan: Plan, web_port: int | None) -> list[Service]:
        """Settle the ports and prepare those servers that no URL replaces."""
        embedded = []
        if not os.environ.get("DATABASE_URL"):
            embedded.append("postgres")
        if not os.environ.get("REDIS_URL"):
            embedded.append("valkey")
        names = [*embedded]
        if not plan.only_services:
            names += [name for name in plan.home.ports() if name not in ("postgres", "valkey")]
        for sentence in settle_ports(plan.home, tuple(names), web_port):
            self._say(sentence)
        services = []
        if "postgres" in embedded:
            cluster = Postgres(plan.home)
            if not cluster.data.exists():
                self._say(f"creating the database cluster in {cluster.data}")
            services.append(cluster.prepare())
        if "valkey" in embedded:
            services.append(prepare_valkey(plan.home))
        return services

    def _wait_services(self, plan: Plan, supervisor: Supervisor) -> None:
        wait_until(
            supervisor.answers,
            failure=lambda: f"the supervisor did not start: {supervisor.last_words()}",
            timeout_s=20,
            is_alive=supervisor.is_alive,
        )
        database = os.environ.get("DATABASE_URL") or plan.home.database_url()
        wait_until(
            lambda: postgres_answers(database),
            failure=lambda: f"PostgreSQL does not answer; see {plan.home.logs / 'postgres.log'}",
            timeout_s=60,
            is_alive=supervisor.is_alive,
        )
        broker = os.environ.get("REDIS_URL") or plan.home.redis_url()
        wait_until(
            lambda: redis_answers(broker),
            failure=lambda: f"Valkey does not answer; see {plan.home.logs / 'valkey.log'}",
            timeout_s=30,
            is_alive=supervisor.is_alive,
        )

    def _prepare_database(self, plan: Plan, environment: dict[str, str]) -> None:
        """Run `prepare` in a process of its own: it must see the settled addresses."""
        self._say("bringing the database up to date")
        command = [sys.executable, str(REPOSITORY / "manage.py"), "prepare"]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        for line in done.stdout.splitlines():
            self._say(line)
        if done.returncode:
            raise SetupError("the database could not be brought up to date; the reason is above.")
        if not os.environ.get("DATABASE_URL"):
            lay_out(plan.home.database_url())

    def _start_product(self, plan: Plan, supervisor: Supervisor) -> None:
        ports = plan.home.ports()
        if plan.profile == "sim" and "run_simulator" in get_commands():
            self._say("starting the simulated venues")
            supervisor.start_stage("venues")
            wait_until(
                lambda: all(
                    port_answers(ports[name])
                    for name in ("kraken", "solana_a", "solana_b", "jupiter")
                ),
                failure=lambda: (
                    f"the simulator does not answer; see {plan.home.logs / 'simulator.log'}"
                ),
                timeout_s=60,
                is_alive=supervisor.is_alive,
            )
        self._say("starting web, relay, workers and engine")
        for stage in ("feeds", "console", "engine"):
            supervisor.start_stage(stage)
        wait_until(
            lambda: http_answers(ports["web"]),
            failure=lambda: f"the console does not answer; see {plan.home.logs / 'web.log'}",
            timeout_s=60,
            is_alive=supervisor.is_alive,
        )

    def _announce(self, plan: Plan, seconds: float) -> None:
        self._say(f"up after {seconds:.1f} s, profile {plan.profile}; Ctrl-C stops everything")
        credentials = plan.home.path / CREDENTIALS_FILE
        if credentials.exists():
            found = json.loads(credentials.read_text())
            self._say(f"first administrator (shown once): {found['username']} {found['password']}")
            credentials.unlink()
        self._say(f"open http://127.0.0.1:{plan.home.ports()['web']}/")

    def _follow(self, supervisor: Supervisor, console: Console) -> None:
        """Print logs until asked to stop."""
        while supervisor.is_alive():
            console.print_new()
            supervisor.nudge()
            time.sleep(_POLL_S)
        raise SetupError(
            f"the supervisor ended by itself ({supervisor.last_words()}); start again."
        )

    def _stop(self, supervisor: Supervisor, console: Console) -> None:
        """Stop everything in order: engine first, servers last."""
        if supervisor.is_alive():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self._say("stopping: engine first, servers last")
            supervisor.stop()
            deadline_ns = _CLOCK.monotonic_ns() + _STOP_LIMIT_S * 1_000_000_000
            while supervisor.is_alive() and _CLOCK.monotonic_ns() < deadline_ns:
                console.print_new()
                time.sleep(_POLL_S)
        console.print_new()
        console.close()
        code = supervisor.forget()
        self._say("stopped" if code == 0 else f"supervisor ended with code {code}")

    def _say(self, sentence: str) -> None:
        self.stdout.write(f"spreadline | {sentence}")
        self.stdout.flush()


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    raise StopAsked


def _engine_processor() -> int | None:
    try:
        return engine_processor(settings.ENGINE_CPU)
    except SetupError as error:
        raise CommandError(str(error)) from error


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:
        raise ValueError(f"{text} is not a port number")
    return port


def _child_environment(plan: Plan) -> dict[str, str]:
    """What every process inherits; passwords stay in files of the home."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "arbsite.settings"),
        "SPREADLINE_HOME": str(plan.home.path),
        "SPREADLINE_PROFILE": plan.profile,
        "SPREADLINE_SCENARIO": plan.scenario,
        "SPREADLINE_SEED": str(plan.seed),
        "SPREADLINE_WEB_PORT": str(plan.home.ports()["web"]),
        "SPREADLINE_JSON_LOGS": "1",
        "PYTHONUNBUFFERED": "1",
    }
