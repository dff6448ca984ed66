"""`manage.py migrate`: Django's own, but never under a running engine."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from arbsite.errors import SetupError
from trading.storage.migrating import drained


class Command(migrate.Command):
    """Refuses while an engine holds a lease; engines that start meanwhile wait."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"] or not _has_work(options):
            super().handle(*args, **options)
            return
        try:
            with drained(connections[options["database"]]):
                super().handle(*args, **options)
        except SetupError as error:
            raise CommandError(str(error)) from error


def _has_work(options: dict[str, Any]) -> bool:
    """Whether anything may be applied; a named app counts, whatever it leads to."""
    if options["app_label"]:
        return True
    executor = MigrationExecutor(connections[options["database"]])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
