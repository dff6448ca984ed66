"""A migration operation that makes a table a TimescaleDB hypertable where it can.

One migration set serves plain PostgreSQL and TimescaleDB: without the extension the
operation does nothing. Only append-only samples whose primary key starts with the time
column may become hypertables; everything that carries keys stays an ordinary table.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class CreateHypertable(Operation):
    """Partition `model` by `column` in chunks of `chunk` (a PostgreSQL interval)."""

    reversible = True
    reduces_to_sql = True

    def __init__(self, model: str, column: str, chunk: str) -> None:
        self.model = model
        self.column = column
        self.chunk = chunk

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.model, self.column, self.chunk], {})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model does not change."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = to_state.apps.get_model(app_label, self.model)._meta.db_table
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
            if cursor.fetchone() is None:
                return
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        schema_editor.execute(
            "SELECT create_hypertable(%s, by_range(%s, %s::interval),"
            " migrate_data => true, if_not_exists => true)",
            [table, self.column, self.chunk],
        )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Dropping the table (the previous operation, reversed) drops the hypertable."""

    def describe(self) -> str:
        return f"Make {self.model} a hypertable on {self.column} where TimescaleDB is present"
