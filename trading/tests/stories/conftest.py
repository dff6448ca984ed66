"""A LIVE desk in PostgreSQL for each story."""

from __future__ import annotations

import pytest

from trading.tests.intents import open_desk


@pytest.fixture
def desk_url(transactional_db: None, test_database_url: str) -> str:
    """URL of a database in which SOL may trade."""
    open_desk("SOL")
    return test_database_url
