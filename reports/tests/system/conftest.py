"""One running desk for all system tests, and a browser.

The desk is the product as `make run` starts it, in a folder and on ports of its own. Its
clean stop is a test too: exit code 0 and nothing left behind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from arbsite.home import REPOSITORY, Home
from reports.tests.system.desk import Desk


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The started product; stopped, checked and removed when the last system test is done."""
    if not (REPOSITORY / "frontend" / "dist" / "index.html").is_file():
        pytest.fail("the console is not built; run `make console` first", pytrace=False)
    # A short path of our own: pytest's folders are closed to the account that PostgreSQL
    # runs as under root, and too long for the supervisor's socket.
    desk = Desk(Home(Path(tempfile.mkdtemp(prefix="spreadline-desk-"))))
    try:
        desk.start()
        yield desk
        code, left = desk.stop()
        assert code == 0, desk.said()
        assert not left, f"`up` left {left} behind"
        forced = [line for line in desk.log("supervisord").splitlines() if " killing " in line]
        assert not forced, f"did not stop when asked: {forced}"
        assert desk.said().rstrip().endswith("spreadline | stopped")
    finally:
        desk.abandon()
        shutil.copytree(desk.home.logs, tmp_path_factory.mktemp("desk") / "logs")
        desk.remove()
