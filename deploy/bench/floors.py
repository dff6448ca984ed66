"""What durability and a signature cost at least, timed between the samples of a bench.

Imported by the benches that write intents; not a command.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from solders.keypair import Keypair

INSERT = "floor: prepared insert of one row"


class Floors:
    """What durability and a signature cost at least: one of each is timed a call, ns."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], file: int) -> None:
        self._conn, self._file = conn, file
        self._payload = os.urandom(1_500).hex()
        self._keypair = Keypair()

    @classmethod
    @contextlib.asynccontextmanager
    async def over(cls, url: str) -> AsyncIterator[Floors]:
        """Over a connection and a file of their own."""
        conn = await psycopg.AsyncConnection.connect(url, autocommit=True)
        await conn.execute("CREATE TABLE bench (id bigserial PRIMARY KEY, payload jsonb)")
        with tempfile.NamedTemporaryFile(dir=Path.home()) as file:
            yield cls(conn, file.fileno())
        await conn.close()

    async def once(self) -> dict[str, int]:
        """Time one of each."""
        found, start_ns = {}, time.perf_counter_ns()
        self._keypair.sign_message(self._payload[:400].encode())
        found["floor: one ed25519 signature"] = time.perf_counter_ns() - start_ns
        start_ns = time.perf_counter_ns()
        os.write(self._file, self._payload.encode())
        os.fdatasync(self._file)
        found["floor: append + fdatasync"] = time.perf_counter_ns() - start_ns
        row, start_ns = Jsonb({"payload": self._payload}), time.perf_counter_ns()
        await self._conn.execute("INSERT INTO bench (payload) VALUES (%s)", [row], prepare=True)
        found[INSERT] = time.perf_counter_ns() - start_ns
        return found
