"""The mark beside the database, and what an engine makes of one that is not the marked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from arbsite.clock import SystemClock
from arbsite.errors import DomainError
from arbsite.models import AuditLog
from risk import restores
from risk import services as risk
from risk.models import Control, Incident
from trading.process.restored import SLACK_NS, RestoredDatabase
from trading.storage.database_mark import (
    DatabaseMark,
    MarkDamaged,
    differences,
    read_database,
    read_mark,
    write_mark,
)
from trading.storage.lease import Found, Lease
from trading.storage.store import TradeStore
from trading.tests.intents import NOW_NS, make_intent, make_settings, planned

MARK = DatabaseMark("7", 1, 3, 5, "abc", "", 9)
FOUND = Found(epoch=1, heartbeat_ns=NOW_NS)


@pytest.fixture
async def marked(store: TradeStore, tmp_path: Path) -> AsyncIterator[Path]:
    """A mark of the database as it is, with an audit row and a trade in it."""
    intent = make_intent()
    verdict = await store.record_intent(
        intent, make_settings(), trade_id=intent.intent_key, attempts=planned(intent)
    )
    assert verdict == "recorded"
    await sync_to_async(risk.pause)("*", user="ann", key="k", reason="to have a row")
    await sync_to_async(risk.resume)("*", user="ann", key="l", reason="to trade")
    path = tmp_path / "mark.json"
    await restored(store, path).compare(None)
    yield path
    await sync_to_async(connections.close_all)()


def restored(store: TradeStore, path: Path | None) -> RestoredDatabase:
    return RestoredDatabase(store, path, SystemClock(), shard="main")


def damage(path: Path) -> None:
    path.write_text("{")


def change(path: Path, **changes: object) -> DatabaseMark:
    """Make the mark that of another past; returns it."""
    mark = read_mark(path)
    assert mark is not None
    changed = msgspec.structs.replace(mark, **changes)
    write_mark(path, changed)
    return changed


def test_a_mark_reads_back_is_private_and_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "mark.json"
    assert read_mark(path) is None
    write_mark(path, MARK)
    write_mark(path, msgspec.structs.replace(MARK, epoch=4))
    found = read_mark(path)
    assert found is not None
    assert found.epoch == 4
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    path.write_text('{"system_id": "7"')
    with pytest.raises(MarkDamaged, match=r"mark\.json cannot be read"):
        read_mark(path)


async def test_the_mark_names_the_newest_of_the_database(store: TradeStore, marked: Path) -> None:
    mark = read_mark(marked)
    assert mark is not None
    assert mark.epoch == store.epoch
    assert mark.trade_id == str(make_intent().intent_key)
    last = await sync_to_async(AuditLog.objects.latest)("id")
    assert (mark.audit_id, mark.audit_hash) == (last.id, last.hash)
    assert int(mark.system_id) > 0
    assert mark.timeline == 1


@pytest.mark.parametrize(
    ("past", "words"),
    [
        ({"system_id": "7"}, "system identifier changed"),
        ({"timeline": 4}, "timeline 1, was 4"),
        ({"epoch": 9}, "epoch is 1, was 9"),
        ({"audit_id": 10**6}, "audit row 1000000 is missing"),
        ({"audit_hash": "f" * 64}, "is missing or another"),
        ({"trade_id": "018bcfe5-6800-7000-8000-000000000009"}, "000000000009 is missing"),
    ],
)
async def test_each_difference_is_named(
    store: TradeStore, marked: Path, past: dict[str, object], words: str
) -> None:
    mark = change(marked, **past)
    async with store.connection() as conn:
        now = await read_database(conn, "main", now_ns=NOW_NS)
        (found,) = await differences(conn, mark, now)
    assert words in found


async def test_the_same_database_goes_on(store: TradeStore, marked: Path) -> None:
    guard = restored(store, marked)
    await guard.compare(FOUND)
    assert guard.unsure is None
    assert guard.mode("live") == "live"
    assert not await sync_to_async(Incident.objects.exists)()
    unguarded = restored(store, None)
    await unguarded.compare(FOUND)
    await unguarded.keep()
    assert (unguarded.least_epoch, unguarded.mode("live")) == (0, "live")


async def test_nothing_unknown_is_green_by_itself_and_a_person_goes_live(
    store: TradeStore, marked: Path
) -> None:
    change(marked, system_id="7", at_ns=NOW_NS + 5)
    guard = restored(store, marked)
    await guard.compare(FOUND)
    assert guard.mode("observe") == "halt"
    assert guard.unsure is not None
    # From the older of both signs of life, less what clocks may differ.
    assert guard.unsure.since_ns == NOW_NS - SLACK_NS
    with pytest.raises(DomainError, match="not compared yet"):
        await sync_to_async(restores.account_for)(user="ann", reason="sure")
    await guard.judge(set())
    assert guard.unsure is not None
    await guard.keep()
    assert guard.unsure is None
    control = await sync_to_async(Control.objects.get)(scope="*")
    assert control.mode == "observe"
    incident = await sync_to_async(Incident.objects.get)()
    assert (incident.rule, incident.state) == (restores.RESTORED, "closed")
    await sync_to_async(risk.go_live)("*", user="ann", key="m", reason="all there")
    with pytest.raises(DomainError, match="Nothing waits"):
        await sync_to_async(restores.account_for)(user="ann", reason="again")


async def test_a_damaged_mark_is_taken_for_a_restore(store: TradeStore, marked: Path) -> None:
    damage(marked)
    guard = restored(store, marked)
    await guard.compare(FOUND)
    assert guard.mode("live") == "halt"
    look = await sync_to_async(restores.latest_look)()
    assert look is not None
    assert "cannot be read" in look.checks[0]["seen"]
    # It is whole again, and still unsure after the next start.
    assert restored(store, marked).mode("live") == "halt"


async def test_a_look_from_before_does_not_undo_a_persons_word(
    store: TradeStore, marked: Path
) -> None:
    change(marked, epoch=9)
    guard = restored(store, marked)
    await guard.compare(FOUND)
    await guard.judge({"O-1"})
    await sync_to_async(restores.account_for)(user="ann", reason="booked by hand")
    await guard.judge({"O-1"})
    look = await sync_to_async(restores.latest_look)()
    assert look is not None
    assert (look.is_green, look.actor) == (True, "ann")


async def test_the_epoch_jumps_past_a_forgotten_one(store: TradeStore, desk_url: str) -> None:
    lease = Lease(desk_url, shard="main", holder="next")
    assert await lease.acquire(beyond=40) == 41
    assert lease.found is not None
    assert lease.found.epoch == store.epoch
    await lease.release()
    fresh = Lease(desk_url, shard="other", holder="next")
    assert await fresh.acquire(beyond=7) == 8
    assert fresh.found is None
    await fresh.release()
