"""Bring the database of a running server up to date and make it usable for people.

Creates the database if it is missing, migrates, loads the product's first rows (`seed`)
and makes the first administrator. Safe to run again. Called by `up` and by deployments.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from arbsite.home import Home
from arbsite.readiness import ensure_database

FIRST_ADMINISTRATOR = "admin"
CREDENTIALS_FILE = "first_administrator.json"


def ensure_first_administrator(home: Home) -> bool:
    """Create the first administrator when there is none; say whether one was created.

    The generated password goes to a file (0600) that `up` prints once and removes.
    """
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return False
    password = secrets.token_urlsafe(15)
    users.create_superuser(FIRST_ADMINISTRATOR, password=password)
    path = home.path / CREDENTIALS_FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps({"username": FIRST_ADMINISTRATOR, "password": password}))
    return True


class Command(BaseCommand):
    """Create, migrate, seed, first administrator."""

    help = (
        "Create the database if it is missing, apply migrations, load the first rows and make "
        "the first administrator. Safe to run again; prints what it did."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if ensure_database(settings.DATABASE_URL):
            self.stdout.write("database created")
        executor = MigrationExecutor(connection)
        pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if pending:
            call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write(f"{pending} migrations applied" if pending else "schema is up to date")
        if "seed" in get_commands():
            call_command("seed", stdout=self.stdout)
        if ensure_first_administrator(settings.HOME):
            self.stdout.write("first administrator created")
