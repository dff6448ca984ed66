"""Settings of the test run: the product's, on services of the run's own.

Named by pytest's configuration. Where DATABASE_URL or REDIS_URL are set the tests use
those servers; otherwise addresses in a temporary home are fixed here, and
`arbsite.testing` starts the servers when the first test needs one. Processes that a test
starts inherit the addresses through the environment.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

from arbsite.home import DEFAULT_PORTS, Home

# Bound, never listening: no other program is given these ports before our servers, which
# set SO_REUSEADDR too, take them over.
RESERVED: list[socket.socket] = []


def _reserve_port() -> int:
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    RESERVED.append(holder)
    return int(holder.getsockname()[1])


def _begin_run() -> None:
    """Make the run's home and put its addresses where child processes find them."""
    folder = tempfile.mkdtemp(prefix="spreadline-test-")
    os.environ["SPREADLINE_TEST_RUN"] = os.environ["SPREADLINE_HOME"] = folder
    os.environ["SPREADLINE_PROFILE"] = "sim"
    # What the run proves must not hang on what this user may ask of the kernel, and a run on
    # two processors needs both.
    os.environ["SPREADLINE_KEEP_AWAKE"] = os.environ["SPREADLINE_ENGINE_CPU"] = "off"
    # pytest removes it with what lies elsewhere; this is for runs that end before that.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = Home(Path(folder))
    home.static.mkdir()
    home.ports_file.write_text(json.dumps({name: _reserve_port() for name in DEFAULT_PORTS}))
    owned = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    os.environ["SPREADLINE_TEST_SERVERS"] = ",".join(owned)
    os.environ.setdefault("DATABASE_URL", home.database_url())
    os.environ.setdefault("REDIS_URL", home.redis_url())


IS_RUN_OWNER = "SPREADLINE_TEST_RUN" not in os.environ
if IS_RUN_OWNER:
    _begin_run()

from arbsite.settings import *  # noqa: E402, F403

# Cheap on purpose: the tests make many users. The real hashers have their own test.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
