"""The proof on every run: two thousand short lives of a desk, none of which breaks the protocol."""

from __future__ import annotations

import subprocess
import sys

import pytest

from arbsite.clock import SystemClock
from arbsite.home import REPOSITORY
from trading.proof.run import Figures, prove

SEEDS = 2000
JOBS = 2
CLOCK = SystemClock()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_no_seed_breaks_the_protocol(
    database_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    started_ns = CLOCK.monotonic_ns()

    def tell(figures: Figures) -> None:
        if figures.seeds % 200 == 0:
            with capsys.disabled():
                sys.stdout.write(f"\nproof | {figures.seeds}/{SEEDS} seeds, {len(figures.bad)} bad")
                sys.stdout.flush()

    figures, _ = prove(database_server, range(SEEDS), jobs=JOBS, tell=tell)
    lines = figures.lines((CLOCK.monotonic_ns() - started_ns) / 1e9)
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(f"proof | {line}" for line in lines) + "\n")
    assert not figures.bad, "\n".join(lines)
    # What would prove nothing: a desk that hardly trades, or never dies.
    assert figures.trades > SEEDS
    assert figures.deaths > SEEDS // 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_seed_tells_the_same_story_in_every_process(database_server: str) -> None:
    """I15: processes with hash seeds and dealt seeds of their own agree to the last event."""
    seeds = range(40, 52)
    _, first = prove(database_server, seeds, jobs=2)
    _, again = prove(database_server, seeds, jobs=1)
    assert [result.log_hash for result in first] == [result.log_hash for result in again]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_book_side_that_orders_have_emptied_ends_no_proof(database_server: str) -> None:
    """Found by a soak: orders of this life take every bid of the simulated book."""
    _, results = prove(database_server, [2487], jobs=1)
    assert [result.violations for result in results] == [()]


BROKEN_WORKER = """
from arbsite.errors import SetupError
from trading.proof import preparing
from trading.proof.run import prove

preparing.create_database = lambda server, name: "postgresql://nobody@127.0.0.1:1/none"
preparing.drop_database = lambda server, name: None
try:
    prove("", range(200_000), jobs=1)
except SetupError:
    print("said")
"""


def test_a_proof_whose_worker_cannot_begin_ends_with_all_its_seeds_undealt() -> None:
    """The dealer's thread waited for ever for somebody to take what it had left."""
    command = [sys.executable, "-c", BROKEN_WORKER]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout) == (0, "said\n")
