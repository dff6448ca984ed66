"""Which TCP ports this installation uses: kept between runs, moved when someone else has one.

Called by `up` and the test run before anything starts. Only 127.0.0.1 is looked at.
"""

from __future__ import annotations

import errno
import json
import socket

from arbsite.errors import SetupError
from arbsite.home import Home

_SEARCH_SPAN = 400


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now.

    Raises SetupError for a port below 1024 that this user may not use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT after a restart counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise SetupError(
                f"port {port} is reserved for root; choose one above 1023 with --web-port."
            ) from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def settle_ports(home: Home, names: tuple[str, ...], web_port: int | None = None) -> list[str]:
    """Record a free port for each name and return one sentence per port that moved.

    A port asked for by `web_port` is never moved: SetupError when it is taken.
    """
    ports = home.ports()
    moved: list[str] = []
    if web_port is not None:
        if not is_free(web_port):
            raise SetupError(
                f"port {web_port} is taken by another program; choose another with --web-port."
            )
        ports["web"] = web_port
    for name in names:
        if name == "web" and web_port is not None:
            continue
        first = ports[name]
        # Not onto another's place: one taken port must not push all the others along.
        others = {port for other, port in ports.items() if other != name}
        port = _first_free(first, others)
        if port != first:
            moved.append(f"port {first} is taken, {name} moves to {port}")
        ports[name] = port
    partial = home.ports_file.with_name("ports.json.partial")
    partial.write_text(json.dumps(ports, indent=1, sort_keys=True) + "\n")
    partial.replace(home.ports_file)
    return moved


def _first_free(first: int, others: set[int]) -> int:
    for port in range(first, min(first + _SEARCH_SPAN, 65_536)):
        if port not in others and is_free(port):
            return port
    raise SetupError(
        f"no free port between {first} and {first + _SEARCH_SPAN}; stop some programs first."
    )
