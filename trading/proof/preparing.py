"""Databases for the proof: created on a server, migrated, and given the first rows of a desk.

Runs in a child process, because a process's Django knows one database. Callers: `run`, and
the fixture of the tests.
"""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime

import psycopg

from arbsite.errors import SetupError
from trading.proof.database import KEPT


def create_database(server_url: str, name: str) -> str:
    """Make an empty database (an earlier one of the name is dropped); return its URL."""
    drop_database(server_url, name)
    server = server_url.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=10) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}/{name}"


def drop_database(server_url: str, name: str) -> None:
    """Remove a database, whoever is still connected to it."""
    server = server_url.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=10) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def prepare_apart(dsn: str) -> None:
    """`prepare` in a child process; SetupError when it fails."""
    child = multiprocessing.get_context("spawn").Process(target=prepare, args=(dsn,))
    child.start()
    child.join()
    if child.exitcode:
        raise SetupError("The proof's database could not be migrated; its error stands above.")


def prepare(dsn: str) -> None:
    """Migrate the database and keep the first rows of a LIVE desk that trades SOL."""
    start_django(dsn)
    from django.core.management import call_command
    from django.db import connection

    from risk.models import Control
    from trading.models import AssetConfig

    call_command("migrate", verbosity=0, interactive=False)
    since_at = datetime(2026, 1, 1, tzinfo=UTC)
    for scope in ("*", "SOL"):
        Control.objects.create(scope=scope, mode="live", since_at=since_at)
    AssetConfig.objects.create(
        asset="SOL", version=1, status="in_force", created_by="proof", created_at=since_at
    )
    with connection.cursor() as cursor:
        for table in KEPT:
            cursor.execute(f"CREATE TABLE proof_{table} AS TABLE {table}")
    connection.close()


def start_django(dsn: str) -> None:
    """Set Django up on this database; once, before anything imports a model."""
    os.environ["DATABASE_URL"] = dsn
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings")
    import django

    django.setup()
