"""Fixtures every test may use: the run's servers and where the shared golden data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_django.plugin import DjangoDbBlocker

pytest_plugins = ["arbsite.testing"]

# The same examples in every run, and no deadline for one: a busy machine is no failure.
# Fresh examples are drawn by `pytest --hypothesis-profile=default`, as the nightly run does.
settings.load_profile("ci")

SHARED_DATA = Path(__file__).resolve().parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The golden data beside the checkout; absent for an outside user.

    `.ci/run` sets SPREADLINE_REQUIRE_DATA, so that nothing is skipped there.
    """
    path = Path(os.environ.get("SPREADLINE_SHARED_DATA", SHARED_DATA))
    if not path.is_dir():
        if os.environ.get("SPREADLINE_REQUIRE_DATA"):
            pytest.fail(f"golden data expected at {path}")
        pytest.skip(f"golden data not found at {path}; set SPREADLINE_SHARED_DATA")
    return path


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_server: str, redis_url: str) -> None:
    """Start the servers before Django makes its test database.

    The address is already in the settings; nothing is modified.
    """


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let a transactional test clean up: Django truncates every table, the log included.

    Only in the test database, and only TRUNCATE; `arbsite/tests/test_audit.py` turns the
    refusal back on to prove it.
    """
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE arbsite_auditlog DISABLE TRIGGER arbsite_auditlog_no_truncate")
