"""The chaos command against the running desk: a short run leaves its books exact."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from arbsite.home import REPOSITORY
from reports.tests.system.desk import Desk

pytestmark = pytest.mark.timeout(400)
# Faults of both venues and the kill of PostgreSQL (with it the engine) in its first seconds.
SEED = "0"
MINUTES = "0.3"


def test_a_short_chaos_leaves_exact_books(desk: Desk, tmp_path: Path) -> None:
    report = tmp_path / "chaos.md"
    done = subprocess.run(
        [sys.executable, "manage.py", "chaos", "--seed", SEED, "--minutes", MINUTES,
         "--report", str(report)],
        cwd=REPOSITORY,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=360,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ledger - truth 0 exactly" in done.stdout
    page = report.read_text()
    assert "no violation" in page
    assert "kill -9" in page
    assert "solana." in page
    assert "kraken." in page
