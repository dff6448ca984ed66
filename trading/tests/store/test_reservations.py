"""What a reservation reads does not grow with the trades that are over."""

from __future__ import annotations

import json
from uuid import uuid4

from django.db import connection, transaction

from trading.models import Reservation
from trading.tests.intents import NOW_NS

OLD_TRADES = 3_000
# PostgreSQL plans a statement anew five times at most before it keeps a plan.
PLANNED_FOR_GOOD = 6
NEEDS = (("kraken", "USD"), ("solana", "SOL"), ("solana", "fee SOL"))


def reserve() -> str | None:
    """Reserve a little of three balances, as an intent does."""
    needs = [
        {"venue": venue, "asset": asset, "amount": "1", "free": "10", "known_ns": NOW_NS}
        for venue, asset in NEEDS
    ]
    payload = {"shard": "main", "trade": {"id": str(uuid4())}, "needs": needs}
    with connection.cursor() as cursor:
        cursor.execute("SELECT trading_reserve(%s::jsonb)", [json.dumps(payload)])
        (short,) = cursor.fetchone()
    return short


def rows_read() -> int:
    """Entries of the table and its indexes that this connection has read lately."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_stat_get_xact_tuples_returned(it)) FROM ("
            " SELECT 'trading_reservation'::regclass::oid AS it UNION ALL"
            " SELECT indexrelid FROM pg_index WHERE indrelid = 'trading_reservation'::regclass"
            ") AS everything"
        )
        (read,) = cursor.fetchone()
    return int(read)


def test_reserving_reads_no_trade_that_is_over(transactional_db: None) -> None:
    """The plan is made on an empty table, as that of an engine that starts with its desk."""
    for _ in range(PLANNED_FOR_GOOD):
        assert reserve() is None
    Reservation.objects.all().delete()
    Reservation.objects.bulk_create(
        Reservation(
            shard="main", trade_id=uuid4(), venue=venue, asset=asset, amount=1, released_ns=number
        )
        for number in range(1, OLD_TRADES + 1)
        for venue, asset in NEEDS
    )
    with transaction.atomic():
        before = rows_read()
        assert reserve() is None
        assert rows_read() - before < 100
    assert Reservation.objects.filter(released_ns=None).count() == len(NEEDS)
