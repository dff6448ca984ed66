"""What a running desk's supervisor knows: which programs run, and under which process ids.

Called by commands that look at (or hurt) a running home, such as `chaos`. Starting and
stopping is `arbsite.supervise`.
"""

from __future__ import annotations

import configparser
import http.client
import xmlrpc.client
from pathlib import Path

from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.supervise import UnixTransport


def running_pids(home: Home) -> dict[str, int]:
    """Process ids of the programs that run now, by name.

    Raises SetupError when no supervisor of this home answers.
    """
    path = _socket_file(home)
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport=UnixTransport(path)) as proxy:
            rows = proxy.supervisor.getAllProcessInfo()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        raise _not_running(home) from error
    assert isinstance(rows, list)
    return {str(row["name"]): int(row["pid"]) for row in rows if row["pid"]}


def _socket_file(home: Home) -> Path:
    config = configparser.RawConfigParser(strict=False)
    config.read(home.path / "run" / "supervisord.conf")
    try:
        return Path(config["unix_http_server"]["file"])
    except KeyError as error:
        raise _not_running(home) from error


def _not_running(home: Home) -> SetupError:
    return SetupError(f"No desk runs on {home.path}: start one with `manage.py up`.")
