"""A desk in PostgreSQL whose SOL trades on paper."""

from __future__ import annotations

import pytest

from trading.tests.intents import open_desk


@pytest.fixture
def desk_url(transactional_db: None, test_database_url: str) -> str:
    """URL of a database in which SOL is configured for PAPER on a desk that may be LIVE."""
    open_desk("SOL", mode="paper")
    return test_database_url
