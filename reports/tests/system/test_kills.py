"""SIGKILL on every process of a trading desk: it goes on, and the books stay exact.

Each kill waits for the supervisor to put the process back and for the desk to trade again.
The audit at the end compares the desk's ledger with what the simulated venues know to have
happened: no order twice, no window fired at twice, no difference, nothing left unhedged.
"""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from reports.tests.system.desk import Desk

pytestmark = pytest.mark.timeout(600)

# The scenario opens about six windows a minute, at random: the limit is for bad luck.
TRADE_LIMIT_S = 150

# Decided a moment ago: its window has had no time to close.
JUST_FIRED = """
    select id, window_id from trading_trade
    where state = 'open' and not is_settled and detect_ns > %s
    order by detect_ns desc limit 1
"""
FRESH_NS = 250_000_000
TRIES = """
    select count(*) from trading_outbox
    where subject like 'exec.try.%%' and payload ->> 'window_id' = %s
"""


def _wait_trading(desk: Desk, what: str) -> None:
    since_ns = time.time_ns()
    desk.wait(f"a new trade {what}", lambda: desk.settled_since(since_ns), TRADE_LIMIT_S)


def _kill_and_see_it_trade(desk: Desk, program: str) -> None:
    killed = desk.kill(program)
    desk.wait_restarted(program, killed)
    _wait_trading(desk, f"after {program} was killed")


@pytest.fixture(scope="module")
def engine_killed_in_a_trade(desk: Desk) -> tuple[UUID, UUID]:
    """SIGKILL on the engine while orders are out; the trade's and its window's id."""
    _wait_trading(desk, "before the first kill")
    [(trade, window)] = desk.wait(
        "a trade in flight",
        lambda: desk.rows(JUST_FIRED, time.time_ns() - FRESH_NS),
        TRADE_LIMIT_S,
    )
    killed_ns = time.time_ns()
    killed = desk.kill("engine")
    assert desk.value("select state from trading_trade where id = %s", trade) == "open"
    closed_before = "select count(*) from trading_window where window_id = %s and closed_at_ns < %s"
    assert desk.value(closed_before, window, killed_ns) == 0
    desk.wait_restarted("engine", killed)
    return trade, window


def test_a_trade_in_flight_is_finished_by_the_next_engine(
    desk: Desk, engine_killed_in_a_trade: tuple[UUID, UUID]
) -> None:
    trade, _ = engine_killed_in_a_trade
    state = "select state from trading_trade where id = %s"
    desk.wait("the trade booked", lambda: desk.value(state, trade) == "closed", 120)
    _wait_trading(desk, "of the next engine")


def test_a_window_open_across_a_restart_is_fired_at_once(
    desk: Desk, engine_killed_in_a_trade: tuple[UUID, UUID]
) -> None:
    _, window = engine_killed_in_a_trade
    assert desk.value(TRIES, str(window)) == 1
    decisions = "select count(*) from trading_opportunity where window_id = %s"
    assert desk.value(decisions, window) == 1


@pytest.mark.parametrize(
    "program", ["simulator", "relay", "web", "valkey", "worker", "beat", "postgres"]
)
def test_the_desk_trades_on_after_a_kill(desk: Desk, program: str) -> None:
    _kill_and_see_it_trade(desk, program)


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
