"""A trade's life in the database: fenced, whole, once; and the way back into memory."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from arbsite.clock import ManualClock
from arbsite.errors import Fenced
from risk.models import RiskDay
from trading.inputs import LandingOutcome
from trading.models import Fill, LedgerEntry, Outbox, Trade
from trading.process.desk_state import DeskState
from trading.records import AttemptRecord, DayRelease, FillRecord, LedgerLine, TradeRecord
from trading.storage.lease import Lease
from trading.storage.rows import risk_day
from trading.storage.store import TradeStore
from trading.tests.intents import (
    NOW_NS,
    make_intent,
    make_settings,
    make_verdict,
    make_window,
    planned,
)


async def opened_trade(store: TradeStore, number: int = 0, **changes: Any) -> TradeRecord:
    intent = make_intent(number, **changes)
    trade = TradeRecord(
        id=uuid4(), intent=intent, state="open", version=1, risk_day=risk_day(intent),
        attempts=planned(intent),
    )  # fmt: skip
    verdict = await store.record_intent(
        intent, make_settings(), trade_id=trade.id, attempts=trade.attempts
    )
    assert verdict == "recorded"
    return trade


def fill_of(attempt: AttemptRecord, fill_id: str = "T-1", **changes: Any) -> FillRecord:
    fields: dict[str, Any] = {
        "venue": "kraken",
        "venue_fill_id": fill_id,
        "status": "observed",
        "base_delta": Decimal("-0.4"),
        "quote_delta": Decimal("60.8123456789"),
        "quote_asset": "USD",
        "fee": Decimal("0.0608123"),
        "fee_asset": "USD",
        "at_ns": NOW_NS,
    }
    fill = FillRecord(**fields | changes)
    attempt.fills[fill_id] = fill
    attempt.filled_base = abs(attempt.base_delta)
    return fill


def line_of(fill: FillRecord) -> LedgerLine:
    return LedgerLine(
        venue="kraken",
        venue_asset="SOL",
        asset="SOL",
        delta=fill.base_delta,
        kind="trade",
        reference=fill.venue_fill_id,
        at_ns=fill.at_ns,
    )


async def test_every_column_comes_back(store: TradeStore) -> None:
    trade = await opened_trade(store)
    cex = trade.attempts[0]
    cex.state, cex.order_id, cex.acked_ns, cex.filled_ns = "acked", "OABC", NOW_NS, NOW_NS + 5
    cex.evidence.append({"event": "late", "at_ns": NOW_NS, "answer": ["a: unknown at 7"]})
    trade.lines.append(line_of(fill_of(cex)))
    trade.state, trade.reason, trade.outcome = "hedging", "because", "partial"
    trade.wired_ns = trade.both_filled_ns = trade.naked_from_ns = NOW_NS
    await store.commit(trade)
    assert trade.version == 2
    assert await store.unfinished_trades() == [trade]


async def test_a_trade_is_found_by_each_of_its_references(store: TradeStore) -> None:
    trade = await opened_trade(store)
    trade.attempts[0].order_id = "OABC"
    await store.commit(trade)
    cex, dex = trade.attempts
    for references in ([cex.cl_ord_id], ["OABC"], [dex.signature], ["nobody's", "OABC"]):
        assert await store.trade_by_reference(*references) == trade
    assert await store.trade_by_reference("") is None
    assert await store.trade_by_reference("nobody's") is None


async def test_an_old_epoch_cannot_touch_its_own_trade(open_store) -> None:
    old = await open_store()
    trade = await opened_trade(old)
    new = await open_store()
    trade.attempts[0].state = "acked"
    with pytest.raises(Fenced, match="epoch"):
        await old.commit(trade)
    (found,) = await new.unfinished_trades()
    assert (found.version, found.attempts[0].state) == (1, "sending")
    found.attempts[0].state = "unknown"
    await new.commit(found)


async def test_an_epoch_bump_waits_for_an_intent_in_its_transaction(
    store: TradeStore, desk_url: str
) -> None:
    lease = Lease(desk_url, shard="main", holder="next")
    async with store.connection() as conn, conn.transaction():
        await conn.execute("SELECT epoch FROM trading_enginelease FOR SHARE")
        taking = asyncio.create_task(lease.acquire())
        async with await psycopg.AsyncConnection.connect(desk_url, autocommit=True) as other:
            while True:
                found = await other.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND query LIKE '%%trading_enginelease%%'"
                )
                if await found.fetchone():
                    break
        assert not taking.done()
    assert await taking == store.epoch + 1
    await lease.release()


async def test_a_standby_waits_for_the_lock(desk_url: str) -> None:
    first = Lease(desk_url, shard="main", holder="first")
    second = Lease(desk_url, shard="main", holder="second")
    assert await first.acquire() == 1
    waiting = asyncio.create_task(second.acquire())
    await first.beat()
    await first.release()
    assert await waiting == 2
    first._conn = await psycopg.AsyncConnection.connect(desk_url, autocommit=True)
    with pytest.raises(Fenced):
        await first.beat()
    await first.release()
    await second.release()


async def test_another_writer_of_the_row_is_noticed(open_store) -> None:
    store = await open_store()
    trade = await opened_trade(store)
    (stale,) = await store.unfinished_trades()
    for _ in range(2):
        await store.commit(trade)
    with pytest.raises(Fenced, match="another engine"):
        await store.commit(stale)


async def test_a_fill_rises_to_booked_and_stays(store: TradeStore) -> None:
    trade = await opened_trade(store)
    observed = fill_of(trade.attempts[0])
    await store.commit(trade)
    booked = fill_of(trade.attempts[0], status="booked", fee=Decimal("0.07"))
    await store.commit(trade)
    trade.attempts[0].fills["T-1"] = observed
    await store.commit(trade)
    row = await sync_to_async(Fill.objects.get)()
    assert (row.status, row.fee) == ("booked", booked.fee)


async def test_the_ledger_takes_each_line_once_and_never_changes(store: TradeStore) -> None:
    trade = await opened_trade(store)
    trade.lines.append(line_of(fill_of(trade.attempts[0])))
    await store.commit(trade)
    trade.lines.append(trade.lines[0])
    await store.commit(trade)

    def tamper() -> None:
        assert LedgerEntry.objects.count() == 1
        for act in (
            lambda: LedgerEntry.objects.update(delta=0),
            lambda: LedgerEntry.objects.all().delete(),
        ):
            with pytest.raises(DatabaseError, match="append-only"):
                act()
        assert LedgerEntry.objects.get().delta == Decimal("-0.4")

    await sync_to_async(tamper)()


async def test_one_live_attempt_per_leg(store: TradeStore) -> None:
    trade = await opened_trade(store)
    first = planned(trade.intent)[0]
    for seq in (1, 2):
        trade.attempts.append(
            AttemptRecord(
                id=uuid4(), leg="hedge", seq=seq, venue="kraken", side="buy", qty=first.qty,
                state="sending", cl_ord_id=f"hedge {seq}",
            )
        )  # fmt: skip
    with pytest.raises(psycopg.errors.UniqueViolation):
        await store.commit(trade)
    assert trade.version == 1
    trade.attempts[-2].state = "done"
    await store.commit(trade)


class LostAnswers(TradeStore):
    """The commit arrives, its answer does not."""

    is_lossy = True

    async def commit(self, trade: TradeRecord, *, release: DayRelease | None = None) -> None:
        before = trade.version
        await super().commit(trade, release=release)
        if self.is_lossy:
            self.is_lossy = False
            trade.version = before
            raise psycopg.OperationalError("server closed the connection unexpectedly")


async def test_a_lost_commit_is_repeated_without_a_second_release(
    store: TradeStore, desk_url: str
) -> None:
    trade = await opened_trade(store)
    lossy = LostAnswers(desk_url, shard="main", clock=ManualClock(NOW_NS))
    lossy.epoch = store.epoch
    await lossy.open()
    trade.state, trade.is_settled = "closed", True
    release = DayRelease(Decimal(150), Decimal(150), Decimal(3))
    with pytest.raises(psycopg.OperationalError):
        await lossy.commit(trade, release=release)
    await lossy.commit(trade, release=release)
    await lossy.close()
    day = await sync_to_async(RiskDay.objects.get)()
    assert (day.notional_reserved, day.notional_used, day.realised) == (0, 150, 3)
    row = await sync_to_async(Trade.objects.get)()
    assert row.version == trade.version == 3


async def test_every_change_is_told_through_the_outbox(store: TradeStore) -> None:
    trade = await opened_trade(store)
    await store.commit(trade)

    def subjects() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT subject, payload->'trade'->>'version' FROM trading_outbox"
                           " ORDER BY id")  # fmt: skip
            return cursor.fetchall()

    assert await sync_to_async(subjects)() == [("exec.try.SOL", None), ("exec.result.SOL", "2")]
    assert await sync_to_async(Outbox.objects.filter(sent_at__isnull=True).count)() == 2


async def test_proven_dead_orders_without_a_venue_id_stay_wanted(store: TradeStore) -> None:
    trade = await opened_trade(store)
    cex = trade.attempts[0]
    cex.state = "dead"
    cex.evidence.append({"event": "rejected", "at_ns": NOW_NS, "answer": "EOrder:x"})
    await store.commit(trade)
    assert await store.unfound_client_ids(since_ns=0) == []
    cex.evidence.append({"event": "proven_dead", "at_ns": NOW_NS, "answer": "2 empty reads"})
    await store.commit(trade)
    assert await store.unfound_client_ids(since_ns=0) == [cex.cl_ord_id]
    assert await store.known_order_ids(since_ns=0) == set()
    cex.order_id = "OABC"
    await store.commit(trade)
    assert await store.unfound_client_ids(since_ns=0) == []
    assert await store.known_order_ids(since_ns=0) == {"OABC"}
    assert await store.known_order_ids(since_ns=NOW_NS + 1) == set()


async def test_windows_keep_their_highest_version(store: TradeStore) -> None:
    window = make_window(uuid4(), version=3, peak_value_usd=Decimal(3))
    older = make_window(window.window_id, version=2, peak_value_usd=Decimal(2))
    closed = make_window(uuid4(), closed_at_ns=NOW_NS + 5, close_cause="book_moved")
    await store.save_windows([])
    await store.save_windows([(window, "watched", "", "", ""), (closed, "taken", "", "", "")])
    await store.save_windows([(older, "refused", "min_profit", "1", "2")])
    assert await store.open_windows() == [window]
    reopened = make_window(closed.window_id, version=2)
    await store.save_windows([(reopened, "watched", "g" * 99, "v" * 99, "l" * 99)])
    assert {row.window_id for row in await store.open_windows()} == {
        window.window_id, closed.window_id,
    }  # fmt: skip


async def test_a_restarted_engine_reads_how_the_last_trades_went(
    store: TradeStore, desk_url: str
) -> None:
    sudden = msgspec.structs.replace(make_verdict(), opening="sudden")
    trade = await opened_trade(store, verdict=sudden)
    state = DeskState(store, ManualClock(NOW_NS))
    assert (await state.read_outcomes()).outcomes == ()
    cex, dex = trade.attempts
    cex.filled_base, dex.filled_base = cex.qty / 2, Decimal(0)
    trade.is_settled = True
    await store.commit(trade)
    known = await state.read_outcomes()
    assert known.at_ns == NOW_NS
    assert known.outcomes == (
        LandingOutcome("SOL", 0, "usual", False, 0.5, trade.intent.detect_ns, "sudden"),
    )
