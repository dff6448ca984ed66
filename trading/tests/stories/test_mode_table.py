"""The table of modes, cell by cell, on the real engine, executor and services.

`MODES` is the table; the tests are made from it. "–" in PAPER's row: a paper trade has no
such thing, so the cell says what becomes of a LIVE trade that is still under way. The
columns of rebalances and of who leaves a mode are `risk.leaving`'s and held there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, get_args
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from arbsite.auth.services import create_user
from arbsite.errors import DomainError
from arbsite.events import Mode
from arbsite.tests.auth.people import PASSWORD
from feeds.tests.conformance.venues import run_patient
from risk import services as risk
from risk.inspection import Check
from risk.models import Control, Incident, Inspection
from trading import seeding
from trading.inputs import IntentRefused
from trading.process.holding_back import CANARY_RED, HoldingBack
from trading.tests.stories.desk import EngineProcess, Scene, replace, tell
from trading.tests.unit.desk import FAIR, Market, holdings, mode


class Row(NamedTuple):
    """What a mode does with new intents, the planned leg, signed bytes, and hedges."""

    new_intents: str
    planned: str
    rebroadcast: bool
    hedges: str


MODES: dict[Mode, Row] = {
    "observe": Row("stored", "stale", True, "yes"),
    "paper": Row("paper", "stale", True, "yes"),
    "live": Row("sent", "done", True, "yes"),
    "hedge_only": Row("refused", "stale", True, "yes"),
    "stop_new": Row("refused", "stale", True, "yes"),
    "halt": Row("refused", "stale", False, "a person"),
}
# (origin, command) → the mode in force after it, or why it was refused.
COMMANDS: dict[Mode, dict[str, str]] = {
    "live": {
        "observe": "observe", "paper": "paper", "live": "live", "pause": "stop_new",
        "resume": "not_paused", "kill": "halt", "reset": "not_killed",
        "trip": "hedge_only", "hold_back": "observe",
    },
    "paper": {
        "observe": "observe", "paper": "paper", "live": "not_observing", "pause": "stop_new",
        "resume": "not_paused", "kill": "halt", "reset": "not_killed",
        "trip": "hedge_only", "hold_back": "observe",
    },
    "observe": {
        "observe": "observe", "paper": "paper", "live": "live", "pause": "stop_new",
        "resume": "not_paused", "kill": "halt", "reset": "not_killed",
        "trip": "hedge_only", "hold_back": "observe",
    },
    "hedge_only": {
        "observe": "hedge_only", "paper": "hedge_only", "live": "hedge_only",
        "pause": "stop_new", "resume": "live", "kill": "halt", "reset": "not_killed",
        "trip": "hedge_only", "hold_back": "hedge_only",
    },
    "stop_new": {
        "observe": "observe", "paper": "not_running", "live": "not_observing",
        "pause": "stop_new", "resume": "live", "kill": "halt", "reset": "not_killed",
        "trip": "stop_new", "hold_back": "stop_new",
    },
    "halt": {
        "observe": "killed", "paper": "killed", "live": "not_observing", "pause": "killed",
        "resume": "killed", "kill": "halt", "reset": "observe",
        "trip": "halt", "hold_back": "halt",
    },
}  # fmt: skip
CELLS = [
    pytest.param(origin, command, expected, id=f"{origin}-{command}")
    for origin, row in COMMANDS.items()
    for command, expected in row.items()
]
every_mode = pytest.mark.parametrize("word", MODES)


def test_the_table_has_every_mode_and_every_command() -> None:
    assert set(MODES) == set(COMMANDS) == set(get_args(Mode))
    assert len({frozenset(row) for row in COMMANDS.values()}) == 1


# ---- what a mode does ---------------------------------------------------------------------


@every_mode
def test_new_intents(word: Mode) -> None:
    market = Market()
    market.tell(holdings(market.after(1), book="paper"))
    market.tell(mode(market.after(1), word, scope="SOL", version=2))
    market.book(FAIR + 45)
    found = [intent.mode for intent in market.intents]
    asked = {"sent": ["live"], "paper": ["paper"], "stored": ["observe"], "refused": []}
    assert found == asked[MODES[word].new_intents]
    if not found:
        assert (market.notes[-1].decision, market.notes[-1].gate) == ("refused", "mode")


@every_mode
def test_the_planned_leg(word: Mode, desk_url: str) -> None:
    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        await engine.executor.execute(scene.intent("dex_first"))
        scene.mode = word
        await engine.until_idle()
        assert (await scene.attempts())["cex#1"] == MODES[word].planned
        # A killed desk parks what is left for a person; the audit is of finished trades.
        scene.is_audited = (await scene.trade())["state"] == "closed"

    run_patient(tell(desk_url, body))


@every_mode
def test_the_signed_bytes(word: Mode, desk_url: str) -> None:
    async def body(scene: Scene) -> None:
        scene.is_audited = False
        engine = await scene.engine()
        scene.faults.set("solana.land_p", 0.0)
        await engine.executor.execute(scene.intent("dex_first"))
        await asyncio.sleep(0.3)
        scene.mode = word
        before = engine.solana.counters.sends
        await asyncio.sleep(3.5)
        assert (engine.solana.counters.sends > before) == MODES[word].rebroadcast

    run_patient(tell(desk_url, body))


async def refuse_a_live_intent(scene: Scene, engine: EngineProcess, word: Mode) -> None:
    """A decision that meets another mode on its way to the venues goes no further."""
    scene.mode = word
    decided = "observe" if MODES[word].new_intents == "stored" else "live"
    await engine.executor.execute(replace(scene.intent(), mode=decided))
    refused = [event.reason for event in engine.heard if isinstance(event, IntentRefused)]
    assert refused == ["stored" if decided == "observe" else f"mode:{word}"]
    assert await scene.rows("SELECT 1 FROM trading_trade") == []
    assert scene.venues.exchange.accounts.orders == {}
    stored = await scene.rows("SELECT 1 FROM trading_opportunity")
    assert len(stored) == (decided == "observe")
    scene.mode = "live"


@every_mode
def test_a_late_intent_and_the_hedges(word: Mode, desk_url: str) -> None:
    async def body(scene: Scene) -> None:
        engine = await scene.engine()
        if word != "live":
            await refuse_a_live_intent(scene, engine, word)
        scene.faults.set("solana.fail_next", True)
        await engine.executor.execute(scene.intent())
        await asyncio.sleep(0.05)
        scene.mode = word
        await engine.until_idle()
        trade, attempts = await scene.trade(), await scene.attempts()
        if MODES[word].hedges == "yes":
            assert (trade["outcome"], attempts["hedge#1"]) == ("hedged", "done")
        else:
            assert (trade["state"], "hedge#1" in attempts) == ("operator", False)
            assert trade["residual_base"] == Decimal(-1)

    run_patient(tell(desk_url, body))


# ---- how a mode is entered and left -------------------------------------------------------


def command(name: str) -> None:
    """One act on the whole engine, as a person or the engine does it."""
    said = {"user": "operator", "key": str(uuid4()), "reason": "because"}
    acts: dict[str, Callable[[], Any]] = {
        "observe": lambda: risk.observe("*", **said),
        "paper": lambda: risk.paper("*", **said),
        "live": lambda: risk.go_live("*", **said),
        "pause": lambda: risk.pause("*", **said),
        "resume": lambda: risk.resume("*", **said),
        "kill": lambda: risk.kill("*", **said),
        "reset": lambda: risk.reset("*", **said, incident=_incident()),
        "trip": lambda: risk.trip("*", "daily_loss", text="t", value="1", limit="0"),
        "hold_back": lambda: risk.hold_back(CANARY_RED, text="clock"),
    }
    acts[name]()


def _incident() -> int:
    found = Incident.objects.filter(rule="kill_switch").first()
    return found.number if found is not None else 1


def put(origin: Mode) -> None:
    """Bring a LIVE desk into a mode by the acts that lead there."""
    risk.set_first_mode("*", "live", actor="test", reason="test")
    ways = {"hedge_only": "trip", "stop_new": "pause", "halt": "kill"}
    if origin != "live":
        command(ways.get(origin, origin))
    assert in_force() == origin


def in_force() -> Mode:
    return Control.objects.get(scope="*").effective_mode


@pytest.mark.django_db
@pytest.mark.parametrize(("origin", "name", "expected"), CELLS)
def test_entering_and_leaving(origin: Mode, name: str, expected: str) -> None:
    put(origin)
    if expected in MODES:
        command(name)
        assert in_force() == expected
    else:
        with pytest.raises(DomainError) as refused:
            command(name)
        assert refused.value.code == expected
        assert in_force() == origin


@pytest.mark.django_db
def test_staleness_alone_lifts_itself() -> None:
    put("live")
    risk.trip("*", "kraken_stale", text="t", value="10 s", limit="10 s")
    assert in_force() == "hedge_only"
    risk.lift("*", "kraken_stale", reason="clean")
    assert in_force() == "live"
    command("trip")
    with pytest.raises(DomainError):
        risk.lift("*", "daily_loss", reason="clean")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "people", "expected"),
    [
        # Staleness leaves by itself: a person's resume does not make data clean.
        ("kraken_stale", ["one"], "hedge_only"),
        ("order_rate", ["one"], "live"),
        ("clock_skew", ["one"], "live"),
        ("balance_drift", ["one"], "live"),
        ("daily_loss", ["one"], "hedge_only"),
        ("daily_loss", ["one", "one"], "hedge_only"),
        ("daily_loss", ["one", "two"], "live"),
    ],
)
def test_who_leaves_an_automatic_stop(
    settings: Any, rule: str, people: list[str], expected: str
) -> None:
    settings.SPREADLINE_APPROVERS = 2
    settings.SPREADLINE_REQUIRE_OTP = True
    put("live")
    for name in dict.fromkeys(people):
        create_user(name, PASSWORD, "operator")
    risk.trip("*", rule, text="t", value="1", limit="0")
    for name in people:
        said = {"user": name, "key": str(uuid4()), "reason": "because"}
        if rule == "daily_loss":
            with pytest.raises(DomainError, match="second factor"):
                risk.resume("*", **said)
        risk.resume("*", **said, has_second_factor=rule == "daily_loss")
    assert in_force() == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_sim", "url", "expected"),
    [
        (True, "http://127.0.0.1:1/rest", "live"),
        (True, "https://api.kraken.com", "observe"),
        (False, "http://127.0.0.1:1/rest", "observe"),
    ],
)
def test_the_first_boot(settings: Any, is_sim: bool, url: str, expected: str) -> None:
    settings.IS_SIM = is_sim
    settings.KRAKEN_REST_URL = url
    settings.KRAKEN_WS_URL = settings.KRAKEN_WS_AUTH_URL = "ws://127.0.0.1:1/ws"
    settings.SOLANA_ENDPOINTS = [("a", "b", "http://127.0.0.1:2", "ws://127.0.0.1:2")]
    assert seeding.seed_controls() == expected
    assert in_force() == expected


# ---- canaries -----------------------------------------------------------------------------

RED = [Check("nonce", False, "refused", "stop the other user of the key")]
GREEN = [Check("nonce", True, "taken")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("is_obeyed", "expected"), [(True, "observe"), (False, "live")])
def test_a_red_canary_holds_a_desk_of_real_venues_back(is_obeyed: bool, expected: str) -> None:
    put("live")
    door = HoldingBack(is_obeyed=is_obeyed)

    async def found(checks: list[Check]) -> None:
        await door.record(checks)
        if checks is RED:
            await door.obey("nonce: refused")
        # Django's connection of this run's thread must not outlive the database.
        await sync_to_async(connections.close_all)()

    asyncio.run(found(RED))
    assert in_force() == expected
    assert [one.is_green for one in Inspection.objects.filter(kind="canary")] == [False]
    open_now = Incident.objects.exclude(state="closed").filter(rule=CANARY_RED)
    assert open_now.count() == is_obeyed
    asyncio.run(found(GREEN))
    # The incident is over; the desk goes live by a person only.
    assert (in_force(), open_now.count()) == (expected, 0)


@pytest.mark.django_db
def test_a_desk_that_is_paused_when_held_back_resumes_to_observe() -> None:
    put("stop_new")
    command("hold_back")
    command("resume")
    assert in_force() == "observe"


@pytest.mark.django_db
def test_real_venues_and_a_red_canary_mean_no_live(settings: Any) -> None:
    settings.IS_SIM = False
    put("observe")
    risk.record_inspection("preflight", GREEN, actor="test")
    risk.record_inspection("canary", RED, actor="engine")
    with pytest.raises(DomainError) as refused:
        command("live")
    assert refused.value.code == "canary_red"
    risk.record_inspection("canary", GREEN, actor="engine")
    command("live")
    assert in_force() == "live"
