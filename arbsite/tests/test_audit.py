"""The audit chain on a real database: sealed, refused changes, and forgery found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.db.transaction import TransactionManagementError

from arbsite import audit
from arbsite.models import AuditHead, AuditLog


def write(number: int = 1) -> AuditLog:
    with transaction.atomic():
        return audit.record(
            actor="olga",
            action="config.put",
            target="SOL",
            before={"cap": Decimal("1.50"), "share": 0.1, "id": UUID(int=7)},
            after={"cap": number},
            reason="because\x00\ud800",
        )


def sqlstate(statement: str) -> str:
    """The code PostgreSQL refuses `statement` with."""
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        connection.cursor().execute(statement)
    return str(refused.value.__cause__.sqlstate)  # type: ignore[union-attr]


@pytest.mark.django_db
def test_rows_read_back_as_hashed_and_follow_each_other() -> None:
    assert audit.first_broken_row() is None
    first, second = write(), write(2)
    stored = AuditLog.objects.get(id=first.id)
    assert (first.id, second.id, second.prev_hash) == (1, 2, first.hash)
    assert stored.before == {"cap": "1.50", "share": "0.1", "id": str(UUID(int=7))}
    assert stored.reason == "because\ufffd?"
    assert audit.row_hash(stored) == first.hash
    assert audit.first_broken_row() is None


@pytest.mark.django_db(transaction=True)
def test_an_act_without_a_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        audit.record(actor="a", action="b", target="c", before=None, after=None)


@pytest.mark.django_db
def test_an_act_that_rolls_back_leaves_no_row() -> None:
    def act() -> None:
        with transaction.atomic():
            write()
            raise RuntimeError("the act fails after its audit row")

    with pytest.raises(RuntimeError):
        act()
    assert AuditLog.objects.count() == 0
    assert audit.first_broken_row() is None


@pytest.mark.django_db
def test_the_database_refuses_to_change_the_log() -> None:
    write()
    table = "arbsite_auditlog"
    connection.cursor().execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_truncate")
    assert sqlstate(f"UPDATE {table} SET actor = 'eve'") == "SPA01"
    assert sqlstate(f"DELETE FROM {table}") == "SPA01"
    assert sqlstate(f"TRUNCATE {table}") == "SPA01"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("forgery", "row"),
    [
        ("UPDATE arbsite_auditlog SET actor = 'eve' WHERE id = 7", 7),
        ("UPDATE arbsite_auditlog SET after = '{}' WHERE id = 7", 7),
        ("DELETE FROM arbsite_auditlog WHERE id = 7", 7),
        ("DELETE FROM arbsite_auditlog WHERE id = 9", 9),
        ("UPDATE arbsite_auditlog SET prev_hash = hash WHERE id = 7", 7),
        ("UPDATE arbsite_audithead SET last_id = 8", 10),
    ],
)
def test_a_change_behind_the_trigger_is_found(forgery: str, row: int) -> None:
    for number in range(9):
        write(number)
    cursor = connection.cursor()
    cursor.execute("ALTER TABLE arbsite_auditlog DISABLE TRIGGER arbsite_auditlog_append_only")
    cursor.execute(forgery)
    cursor.execute("ALTER TABLE arbsite_auditlog ENABLE TRIGGER arbsite_auditlog_append_only")
    broken = audit.first_broken_row()
    assert broken is not None
    assert broken.row == row


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain() -> None:
    def many(worker: int) -> None:
        for number in range(15):
            write(worker * 100 + number)
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))
    assert AuditLog.objects.count() == AuditHead.objects.get().last_id == 60
    assert audit.first_broken_row() is None
