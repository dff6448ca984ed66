"""SIGKILL on every process of a trading desk: it goes on, and the books stay exact.

Each kill waits for the supervisor to put the process back and for the desk to trade again.
The audit at the end compares the desk's ledger with what the simulated venues know to have
happened: no order twice, no window fired at twice, no difference, nothing left unhedged.
"""

from __future__ import annotations

import time
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
import redis

from reports.tests.system.desk import Desk

pytestmark = pytest.mark.timeout(600)

# The scenario opens about six windows a minute, at random: the limit is for bad luck.
TRADE_LIMIT_S = 150
ENGINE_KILLS = 3

# Decided a moment ago, and the window it was fired at is still open.
JUST_FIRED = """
    select trade.id, window_id from trading_trade trade
    join trading_window opened using (window_id)
    where state = 'open' and not is_settled and detect_ns > %s and closed_at_ns is null
    order by detect_ns desc limit 1
"""
FRESH_NS = 250_000_000
TRIES = """
    select count(*) from trading_outbox
    where subject like 'exec.try.%%' and payload ->> 'window_id' = %s
"""


class Struck(NamedTuple):
    """A trade that lost its engine, and the window it was fired at."""

    trade: UUID
    window: UUID


def _wait_trading(desk: Desk, what: str) -> None:
    since_ns = time.time_ns()
    desk.wait(f"a new trade {what}", lambda: desk.settled_since(since_ns), TRADE_LIMIT_S)


def _kill_and_see_it_trade(desk: Desk, program: str) -> None:
    killed = desk.kill(program)
    desk.wait_restarted(program, killed)
    _wait_trading(desk, f"after {program} was killed")


def _kill_engine_in_a_trade(desk: Desk) -> Struck:
    """SIGKILL on the engine a moment after it fired, and see it replaced."""
    trade, window = desk.wait(
        "a trade in flight",
        lambda: next(iter(desk.rows(JUST_FIRED, time.time_ns() - FRESH_NS)), None),
        TRADE_LIMIT_S,
    )
    killed = desk.kill("engine")
    state = desk.value("select state from trading_trade where id = %s", trade)
    assert state in ("open", "hedging")
    is_open = "select closed_at_ns is null from trading_window where window_id = %s"
    assert desk.value(is_open, window)
    desk.wait_restarted("engine", killed)
    return Struck(trade, window)


@pytest.fixture(scope="module")
def struck(desk: Desk) -> list[Struck]:
    """Trades in whose flight the engine was killed, one engine after the other."""
    return [_kill_engine_in_a_trade(desk) for _ in range(ENGINE_KILLS)]


def test_trades_in_flight_are_finished_by_the_next_engine(desk: Desk, struck: list[Struck]) -> None:
    finished = """
        select state, outcome, reason from trading_trade
        where id = %s and state in ('closed', 'operator')
    """
    for trade, _ in struck:
        [(state, outcome, reason)] = desk.wait(
            "the trade booked", lambda it=trade: desk.rows(finished, it), 120
        )
        assert outcome != "pending"
        assert state == "closed" or reason
    _wait_trading(desk, "of the last engine")


def test_a_window_open_across_a_restart_is_fired_at_once(desk: Desk, struck: list[Struck]) -> None:
    decisions = "select count(*) from trading_opportunity where window_id = %s"
    closed = "select intents from trading_window where window_id = %s and closed_at_ns is not null"
    for _, window in struck:
        # The next engine took it over as fired at, and closed it.
        assert desk.wait("the window closed", lambda it=window: desk.rows(closed, it), 60) == [(1,)]
        assert desk.value(TRIES, str(window)) == 1
        assert desk.value(decisions, window) == 1


@pytest.mark.parametrize(
    "program", ["simulator", "relay", "web", "valkey", "worker", "beat", "postgres"]
)
def test_the_desk_trades_on_after_a_kill(desk: Desk, program: str) -> None:
    _kill_and_see_it_trade(desk, program)


@pytest.mark.parametrize("how", ["flushed", "evicting"])
def test_a_cache_that_forgets_takes_no_safety_state_with_it(desk: Desk, how: str) -> None:
    """Fault 50: what stops, what was ordered and who is signed in outlive the cache."""
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"scope": "WIF", "reason": "a stop that the cache must not undo"}
    paused = desk.api("POST", "/v1/controls/pause", body, headers=headers)
    assert paused.status == 202
    stops = "select scope, mode, mode_before, trips, version from risk_control order by scope"
    before = desk.rows(stops)
    with redis.Redis.from_url(desk.home.redis_url()) as cache:
        try:
            if how == "evicting":
                # Whatever is written has to go again at once.
                cache.config_set("maxmemory-policy", "allkeys-lru")
                cache.config_set("maxmemory", "1")
            else:
                cache.flushall()
            # The same order again has its one effect; the session is still good.
            again = desk.api("POST", "/v1/controls/pause", body, headers=headers)
            assert (again.status, again.body) == (202, paused.body)
            since_ns = time.time_ns()
            _wait_trading(desk, f"while the cache is {how}")
            assert desk.rows(stops) == before
            on_wif = "select count(*) from trading_trade where asset = 'WIF' and detect_ns >= %s"
            assert desk.value(on_wif, since_ns) == 0
        finally:
            cache.config_set("maxmemory", "0")
            cache.config_set("maxmemory-policy", "noeviction")
    key = {"Idempotency-Key": str(uuid4())}
    assert desk.api("POST", "/v1/controls/resume", body, headers=key).status == 202


def test_the_books_are_exact_after_all_kills(desk: Desk) -> None:
    report = desk.audit()
    assert report["duplicate_orders"] == 0
    assert report["duplicate_exec_try"] == 0
    assert report["ledger_minus_truth"] == {}
    assert report["wrong_references"] == report["missing_references"] == []
    assert report["ok"]
    assert report["exit_code"] == 0
    assert report["completed"] >= 1
    # While the engine was paused nothing was left in flight.
    assert report["unfinished"] == report["needs_operator"]
    silent = desk.rows("""
        select id, asset, state, outcome, residual_base from trading_trade
        where reason = '' and (state = 'operator' or state = 'closed' and residual_base <> 0)
    """)
    assert silent == []
