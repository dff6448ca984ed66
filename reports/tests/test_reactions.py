"""Stops and restarts read from rows: what counts as a send after a stop, and what does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from arbsite.clock import at_from_ns, ns_from_at, utc_now, uuid7
from reports import reactions
from reports.promises import Level
from reports.reactions import Send, Stop, last_send_ms
from reports.tests.test_prediction import booked, desk  # noqa: F401 - a fixture
from risk.models import Command
from trading.models import Attempt, EngineStart, Resolution, Trade

MS = 1_000_000
AT_NS = 1_767_225_600 * 10**9
ONE, TWO = UUID(int=1), UUID(int=2)


def sent(after_ms: int, *, leg: str = "cex", asset: str = "SOL", trade: UUID = ONE) -> Send:
    return Send(trade, asset, leg, AT_NS + after_ms * MS)


def stop(action: str, scope: str = "*", for_ms: int = 60_000) -> Stop:
    return Stop(action, scope, AT_NS, AT_NS + for_ms * MS)


def test_the_last_send_while_the_stop_holds_counts() -> None:
    sends = [sent(-5), sent(20), sent(180), sent(900)]
    assert last_send_ms(stop("kill", for_ms=500), sends, {}) == 180
    assert last_send_ms(stop("kill"), [sent(-5)], {}) == 0
    assert last_send_ms(stop("kill"), [], {}) == 0


def test_a_stop_of_one_asset_is_not_answered_by_another() -> None:
    sends = [sent(40), sent(300, asset="JUP"), sent(70_000)]
    assert last_send_ms(stop("kill", "SOL"), sends, {}) == 40
    assert last_send_ms(stop("kill", "*"), sends, {}) == 300


def test_hedges_are_allowed_in_a_pause_and_after_a_kill_only_by_a_person() -> None:
    sends = [sent(30), sent(800, leg="hedge"), sent(2_000, leg="hedge", trade=TWO)]
    assert last_send_ms(stop("pause"), sends, {}) == 30
    assert last_send_ms(stop("kill"), sends, {}) == 2_000
    ordered = {TWO: [AT_NS + 1_500 * MS], ONE: [AT_NS + 900 * MS]}
    assert last_send_ms(stop("kill"), sends, ordered) == 800


def command(action: str, at_ns: int, scope: str = "*") -> None:
    Command.objects.create(
        user="ann", idempotency_key=str(uuid7()), action=action, scope=scope, control_version=1,
        created_at=at_from_ns(at_ns),
    )  # fmt: skip


def by_name(**options: Any) -> dict[str, Level]:
    return {row.name: row for row in reactions.levels(**options)}


def test_kills_and_pauses_are_read_with_what_was_sent_after_them(desk: None) -> None:  # noqa: F811
    trade = booked(1)
    Trade.objects.update(wired_ns=None)
    base = AT_NS + 86_400 * 10**9
    for number in range(20):
        command("kill", base + number * 10**9)
        command("reset", base + number * 10**9 + 500 * MS)
    command("pause", base + 20 * 10**9)
    Trade.objects.update(detect_ns=base)
    trade.attempts.filter(leg="cex").update(sent_ns=base + 7 * 10**9 + 300 * MS)
    trade.attempts.filter(leg="dex").update(sent_ns=base + 8 * 10**9 + 700 * MS)
    rows = by_name()
    kill, pause = rows["kill → last send p99"], rows["pause → last send p99"]
    assert (kill.n, kill.verdict) == (20, "holds")
    assert kill.seen.endswith("ms (1 saw one)")
    assert (pause.n, pause.seen, pause.verdict) == (1, "0 ms (0 saw one)", "no data")
    # Planned before the kill, handed over after it: a send all the same.
    trade.attempts.filter(leg="cex").update(sent_ns=base + 7 * 10**9 - 1)
    Trade.objects.update(wired_ns=base + 7 * 10**9 + 400 * MS)
    late = by_name()["kill → last send p99"]
    assert late.verdict == "fails"
    assert late.interval.endswith("– 400")


def test_a_person_who_orders_a_hedge_is_not_the_engines_delay(desk: None) -> None:  # noqa: F811
    trade = booked(1)
    now = utc_now()
    command("kill", ns_from_at(now))
    Trade.objects.update(detect_ns=ns_from_at(now), wired_ns=None)
    hedge = trade.attempts.filter(leg="cex")
    hedge.update(leg="hedge", sent_ns=ns_from_at(now + timedelta(seconds=9)))
    assert by_name()["kill → last send p99"].seen.startswith("9000 ms")
    Resolution.objects.create(
        trade=trade, act="flatten", state="done", user="ann", idempotency_key="k",
        created_at=now + timedelta(seconds=5), expires_at=now + timedelta(seconds=60),
    )  # fmt: skip
    assert by_name()["kill → last send p99"].seen.startswith("0 ms")
    assert Attempt.objects.filter(leg="hedge").count() == 1


def test_restarts_are_measured_from_the_process_and_proofs_beside_them(db: None) -> None:
    for number in range(24):
        EngineStart.objects.create(
            shard="main", epoch=number, at=at_from_ns(AT_NS), began_ns=AT_NS,
            reconciled_ns=AT_NS + (2_000 + number * 10) * MS,
            settled_ns=AT_NS + 5_000 * MS if number % 2 else None,
        )  # fmt: skip
    EngineStart.objects.create(shard="main", epoch=99, at=at_from_ns(AT_NS))
    rows = by_name()
    ready = rows["restart → reconciled p95"]
    assert (ready.n, ready.verdict, ready.target) == (24, "holds", "≤ 3 s")
    assert ready.seen == "2.22 s"
    EngineStart.objects.filter(epoch=23).update(stages={"loaded": 1_600, "reconciled": 2_230})
    named = by_name()["restart → reconciled p95"]
    assert named.seen == "2.22 s (slowest: 1.6 of 2.2 s until loaded)"
    assert rows["restart → open trades proven p95"].n == 12
    EngineStart.objects.filter(epoch__gte=21).update(reconciled_ns=AT_NS + 10**11)
    assert by_name()["restart → reconciled p95"].verdict == "fails"


def test_a_start_that_never_got_ready_counts_with_the_time_it_had(db: None) -> None:
    for number, second in enumerate((0, 2, 9)):
        EngineStart.objects.create(
            shard="main", epoch=number, at=at_from_ns(AT_NS + second * 1_000 * MS)
        )
    # The first was replaced in time, the last may still come up.
    row = by_name()["restart → reconciled p95"]
    assert (row.n, row.seen) == (1, "7 s")


def test_being_able_to_trade_waits_for_fees_and_the_market(db: None) -> None:
    stages = {"reconciled": 2_000, "fees_read": 4_000, "market_up": 3_000}
    for number, each in enumerate((stages, {"reconciled": 2_000, "market_up": 3_000})):
        EngineStart.objects.create(
            shard="main", epoch=number, at=at_from_ns(AT_NS), began_ns=AT_NS,
            reconciled_ns=AT_NS + 2_000 * MS, stages=each,
        )  # fmt: skip
    row = by_name()["restart → able to trade p95"]
    assert (row.n, row.seen) == (1, "4 s")
