"""What an engine process loads before it can take its shard: a restart waits for all of it."""

from __future__ import annotations

import subprocess
import sys

from arbsite.home import REPOSITORY

# Web servers, their TLS, the API's framework and its schema: a second of a busy machine.
NOT_ITS_OWN = (
    "aiohttp", "autobahn", "daphne", "drf_spectacular.plumbing", "rest_framework.views", "twisted",
)  # fmt: skip
SHOW = f"""
import django, sys
django.setup()
import trading.management.commands.run_engine
print(*[name for name in {NOT_ITS_OWN} if name in sys.modules])
"""


def test_an_engine_loads_no_web_server_and_no_api() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
