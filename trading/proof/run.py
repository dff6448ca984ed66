"""Many seeds over several processes: databases, workers, progress, figures.

Called by `manage.py prove` and by the test of the default run. Seeds are dealt to the
workers as they ask, results come back in any order and are counted by seed, so the figures
do not depend on the machine (but for the times).
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import SpawnContext
from multiprocessing.queues import Queue
from typing import Any

import msgspec

from arbsite.clock import SystemClock
from arbsite.errors import SetupError
from trading.proof import preparing
from trading.proof.results import SeedResult, Violation

DATABASE = "spreadline_proof_{}"
CLOCK = SystemClock()


class Figures(msgspec.Struct):
    """Sums over the seeds done so far."""

    seeds: int = 0
    trades: int = 0
    orders: int = 0
    swaps: int = 0
    deaths: int = 0
    faults: int = 0
    virtual_s: float = 0.0
    wall_ms: list[float] = msgspec.field(default_factory=list)
    bad: list[SeedResult] = msgspec.field(default_factory=list)

    def add(self, result: SeedResult) -> None:
        """Count one seed."""
        self.seeds += 1
        for name in ("trades", "orders", "swaps", "deaths", "faults", "virtual_s"):
            setattr(self, name, getattr(self, name) + getattr(result, name))
        self.wall_ms.append(result.wall_ms)
        if result.violations:
            self.bad.append(result)

    def lines(self, elapsed_s: float) -> list[str]:
        """The figures for people; every failing seed with the command that replays it."""
        ordered = sorted(self.wall_ms) or [0.0]
        median, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
        pace = f"median {median:.0f} ms, p95 {p95:.0f} ms a seed"
        hours = f"{self.virtual_s / 3600:.1f} h of virtual time"
        found = [
            f"seeds {self.seeds} in {elapsed_s:.0f} s ({pace}), {hours}",
            f"trades {self.trades}, orders {self.orders}, swaps {self.swaps}",
            f"deaths {self.deaths}, faults and acts {self.faults}",
            f"seeds with a violation: {len(self.bad)}",
        ]
        for result in sorted(self.bad, key=lambda each: each.seed):
            found += [f"  seed {result.seed}  {violation}" for violation in result.violations[:3]]
            found.append(f"    replay: manage.py prove --from-seed {result.seed} --seeds 1 --log")
        return found


def prove(
    server_url: str,
    seeds: Sequence[int],
    *,
    jobs: int,
    policy: str = "protocol",
    is_logged: bool = False,
    tell: Callable[[Figures], None] = lambda _: None,
) -> tuple[Figures, list[SeedResult]]:
    """Run the seeds on `jobs` processes, each with a database of its own on that server.

    Returns the figures and the results in order of seed. SetupError when a worker fails.
    """
    context = multiprocessing.get_context("spawn")
    figures, results = Figures(), []
    for result in _results(context, server_url, seeds, jobs, policy, is_logged):
        figures.add(result)
        results.append(result)
        tell(figures)
    return figures, sorted(results, key=lambda each: each.seed)


def _results(
    context: SpawnContext,
    server_url: str,
    seeds: Sequence[int],
    jobs: int,
    policy: str,
    is_logged: bool,
) -> Iterator[SeedResult]:
    todo: Queue[int | None] = context.Queue()
    done: Queue[SeedResult | str] = context.Queue()
    for seed in [*seeds, *[None] * jobs]:
        todo.put(seed)
    names = [DATABASE.format(f"{context.current_process().pid}_{job}") for job in range(jobs)]
    workers = [
        context.Process(
            target=work,
            args=(preparing.create_database(server_url, name), policy, is_logged, todo, done),
            daemon=True,
        )
        for name in names
    ]
    try:
        for worker in workers:
            worker.start()
        for _ in seeds:
            result = done.get()
            if isinstance(result, str):
                raise SetupError(f"A worker of the proof failed: {result}")
            yield result
        for worker in workers:
            worker.join()
    finally:
        # What nobody will take any more must not keep this process from its end.
        todo.cancel_join_thread()
        for worker in workers:
            worker.terminate()
            worker.join()
        for name in names:
            preparing.drop_database(server_url, name)


def work(
    dsn: str, policy: str, is_logged: bool, todo: Queue[Any], done: Queue[SeedResult | str]
) -> None:
    """One worker process: prepare its database, then live seed after seed."""
    seed: int | None = None
    lives: _Lives | None = None
    while True:
        try:
            lives = lives or _Lives(dsn, policy, is_logged)
            while (seed := todo.get()) is not None:
                done.put(lives.live(seed))
            lives.close()
        except Exception as error:  # noqa: BLE001 - a process's top: the parent says what it was
            if seed is None:
                done.put(repr(error)[:2000])
            else:
                # One broken life must not hide the seeds that come after it.
                done.put(SeedResult(seed, (Violation("raised", repr(error)[:2000]),)))
                continue
        return


class _Lives:
    """The lives of one process, on a database of its own."""

    def __init__(self, dsn: str, policy: str, is_logged: bool) -> None:
        preparing.prepare(dsn)
        # What a desk logs about its faults would be all that anybody sees.
        logging.disable(logging.CRITICAL)
        from trading.proof.database import ProofDatabase
        from trading.proof.desk import run_seed
        from trading.proof.policies import POLICIES

        self._run_seed, self._policy, self._is_logged = run_seed, POLICIES[policy], is_logged
        self._database = asyncio.run(ProofDatabase.open(dsn))

    def live(self, seed: int) -> SeedResult:
        """One seed from its beginning to its judgement."""
        started_ns = CLOCK.monotonic_ns()
        result = self._run_seed(seed, self._database, self._policy(), is_logged=self._is_logged)
        wall_ms = (CLOCK.monotonic_ns() - started_ns) / 1e6
        return msgspec.structs.replace(result, wall_ms=wall_ms)

    def close(self) -> None:
        """Let the database go."""
        asyncio.run(self._database.close())
