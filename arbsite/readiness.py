"""Waiting until a server answers, with a sentence when it does not.

Called by `up`, `prepare` and the test run. Each wait asks the server itself (a query, a
PING, an HTTP status), not only its port, and gives up at once when `is_alive` says no.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from arbsite.clock import SystemClock
from arbsite.errors import SetupError

_POLL_S = 0.05
_CLOCK = SystemClock()


def _always() -> bool:
    return True


def wait_until(
    answers: Callable[[], bool],
    *,
    failure: Callable[[], str],
    timeout_s: float,
    is_alive: Callable[[], bool] = _always,
) -> None:
    """Poll `answers` until it is true; raise SetupError(failure()) at the time limit."""
    deadline_ns = _CLOCK.monotonic_ns() + round(timeout_s * 1e9)
    while not answers():
        if not is_alive() or _CLOCK.monotonic_ns() > deadline_ns:
            raise SetupError(failure())
        time.sleep(_POLL_S)


def postgres_answers(url: str) -> bool:
    """Whether the server of `url` accepts connections (the database need not exist)."""
    try:
        with psycopg.connect(_maintenance_url(url), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def redis_answers(url: str) -> bool:
    """Whether the server of `url` answers PING."""
    client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def port_answers(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1:`port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def http_answers(port: int) -> bool:
    """Whether an HTTP server on 127.0.0.1:`port` answers anything below 500 to GET /."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/", headers={"Host": f"127.0.0.1:{port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def ensure_database(url: str) -> bool:
    """Create the database of `url` when it is missing; say whether it was created."""
    name = urlsplit(url).path.lstrip("/")
    with psycopg.connect(_maintenance_url(url), autocommit=True) as connection:
        row = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
        if row is not None:
            return False
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return True


def _maintenance_url(url: str) -> str:
    """The same server's database `postgres`, which always exists."""
    return urlsplit(url)._replace(path="/postgres").geturl()
