"""A PostgreSQL database of the proof's own, beside Django's test database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from trading.proof.database import ProofDatabase
from trading.proof.preparing import create_database, drop_database, prepare_apart

NAME = "spreadline_proof_tests"


@pytest.fixture(scope="session")
def proof_database(database_server: str) -> Iterator[ProofDatabase]:
    """Migrated, with the first rows of a LIVE desk; one for all tests of this process."""
    dsn = create_database(database_server, NAME)
    prepare_apart(dsn)
    database = asyncio.run(ProofDatabase.open(dsn))
    yield database
    asyncio.run(database.close())
    drop_database(database_server, NAME)
