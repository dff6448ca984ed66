"""The one write before an order: what it records, what it refuses, and that it is one."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from asgiref.sync import sync_to_async

from arbsite.errors import Fenced, NotSent, OutcomeUnknown
from risk import services as risk
from risk.models import Control, RiskDay
from trading.effects import NoteWindow
from trading.models import AssetConfig, Attempt, Opportunity, Outbox, Trade
from trading.records import DayRelease, TradeRecord
from trading.storage.intent_line import IntentText
from trading.storage.rows import risk_day
from trading.storage.store import TradeStore
from trading.tests.intents import make_intent, make_settings, make_window, planned

LIVE = make_settings()


@pytest.fixture(autouse=True, params=["at once", "in two steps"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every verdict is the same whether or not the decision was begun while legs were planned."""
    if request.param == "at once":
        monkeypatch.setattr(TradeStore, "begin_intent", lambda store, intent, window=None: None)


async def record(store: TradeStore, intent, settings=LIVE, trade_id: UUID | None = None) -> str:
    store.begin_intent(intent)
    return await store.record_intent(
        intent, settings, trade_id=trade_id or uuid4(), attempts=planned(intent)
    )


async def count(model: type) -> int:
    return await sync_to_async(model.objects.count)()


async def test_a_recorded_intent_is_whole(store: TradeStore) -> None:
    intent = make_intent()
    assert await record(store, intent) == "recorded"
    assert await count(Trade) == await count(Opportunity) == 1
    assert await count(Attempt) == 2
    assert await count(Outbox) == 1
    day = await sync_to_async(RiskDay.objects.get)()
    assert (day.notional_reserved, day.notional_used, day.trades) == (Decimal(150), 0, 1)


async def test_what_was_recorded_is_read_back_equal(store: TradeStore) -> None:
    intent = make_intent()
    trade = TradeRecord(
        id=uuid4(), intent=intent, state="open", version=1, risk_day=risk_day(intent),
        attempts=planned(intent),
    )  # fmt: skip
    await store.record_intent(intent, LIVE, trade_id=trade.id, attempts=trade.attempts)
    assert await store.unfinished_trades() == [trade]


async def test_the_same_key_is_a_duplicate(store: TradeStore) -> None:
    intent = make_intent()
    await record(store, intent)
    assert await record(store, intent) == "duplicate"
    assert await count(Attempt) == 2


async def test_a_repeated_transaction_hears_of_its_first_try_whatever_holds_by_then(
    store: TradeStore,
) -> None:
    intent = make_intent()
    await record(store, intent)
    await sync_to_async(Control.objects.filter(scope="*").update)(mode="halt")
    await sync_to_async(AssetConfig.objects.update)(version=2)
    assert await record(store, intent) == "duplicate"
    assert await record(store, make_intent(1)) == "mode:* halt"
    assert await count(Opportunity) == 1


async def test_a_second_trade_of_the_direction_is_busy_and_reserves_nothing(
    store: TradeStore,
) -> None:
    await record(store, make_intent(0))
    assert await record(store, make_intent(1)) == "busy"
    day = await sync_to_async(RiskDay.objects.get)()
    assert day.notional_reserved == Decimal(150)
    assert await count(Opportunity) == 1


async def test_the_same_key_from_two_connections_is_recorded_once(store: TradeStore) -> None:
    intent = make_intent()
    verdicts = await asyncio.gather(*(record(store, intent) for _ in range(6)))
    assert sorted(verdicts) == ["duplicate"] * 5 + ["recorded"]
    assert await count(Trade) == 1


async def test_two_windows_at_once_are_one_trade(store: TradeStore) -> None:
    verdicts = await asyncio.gather(*(record(store, make_intent(n)) for n in range(5)))
    assert sorted(verdicts) == ["busy"] * 4 + ["recorded"]


async def test_an_observed_intent_is_stored_without_trade_or_reservation(
    store: TradeStore,
) -> None:
    await sync_to_async(risk.observe)("*", user="op", key="k")
    intent = make_intent(mode="observe")
    assert await store.record_intent(intent, LIVE, trade_id=None, attempts=()) == "recorded"
    assert await count(Opportunity) == 1
    assert await count(Trade) == await count(RiskDay) == 0


@pytest.mark.parametrize(
    ("scope", "mode"), [("*", "stop_new"), ("SOL", "halt"), ("*", "observe"), ("SOL", "paper")]
)
async def test_only_live_scopes_trade(store: TradeStore, scope: str, mode: str) -> None:
    await sync_to_async(Control.objects.filter(scope=scope).update)(mode=mode)
    assert await record(store, make_intent()) == f"mode:{scope} {mode}"
    assert await count(Trade) == 0


async def test_a_tripped_rule_stops_new_trades(store: TradeStore) -> None:
    await sync_to_async(risk.trip)("SOL", "daily_loss", text="t", value="1", limit="0")
    assert await record(store, make_intent()) == "mode:SOL tripped"


async def test_a_desk_without_controls_does_not_trade(store: TradeStore) -> None:
    await sync_to_async(Control.objects.all().delete)()
    assert await record(store, make_intent()) == "mode:unknown"


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"enabled": False}, {"mode": "observe"}, {"status": "superseded"}]
)
async def test_only_the_configuration_in_force_trades(
    store: TradeStore, change: dict[str, Any]
) -> None:
    await sync_to_async(AssetConfig.objects.update)(**change)
    assert await record(store, make_intent()) == "config"


async def test_caps_count_what_is_reserved(store: TradeStore) -> None:
    caps = make_settings(daily_notional_cap_usd=Decimal("449.99"))
    verdicts = []
    for number in range(4):
        intent = make_intent(number, direction=f"direction {number}")
        verdicts.append(await record(store, intent, caps))
    assert verdicts == ["recorded"] * 2 + ["cap:daily_notional"] * 2


@pytest.mark.parametrize(
    ("caps", "verdict"),
    [
        ({"daily_notional_cap_usd": Decimal("149.99")}, "cap:daily_notional"),
        ({"daily_trades_cap": 0}, "cap:daily_trades"),
        ({"daily_loss_cap_usd": Decimal(0)}, "cap:daily_loss"),
    ],
)
async def test_each_daily_cap_refuses(
    store: TradeStore, caps: dict[str, Any], verdict: str
) -> None:
    assert await record(store, make_intent(), make_settings(**caps)) == verdict
    assert await count(Opportunity) == 0


async def test_many_directions_at_once_never_pass_the_cap(store: TradeStore) -> None:
    caps = make_settings(daily_notional_cap_usd=Decimal(1000))
    intents = [make_intent(n, direction=f"d{n}") for n in range(12)]
    await asyncio.gather(*(record(store, intent, caps) for intent in intents))
    day = await sync_to_async(RiskDay.objects.get)()
    assert day.notional_reserved == Decimal(900)
    assert day.trades == 6


async def test_an_old_epoch_is_fenced(open_store) -> None:
    old = await open_store()
    new = await open_store()
    with pytest.raises(Fenced, match="epoch"):
        await record(old, make_intent())
    assert await record(new, make_intent()) == "recorded"


class Unanswered(TradeStore):
    """Loses the answers of the next calls of the intent function, executed or not."""

    outcomes: list[str] = []

    def lose(self, *outcomes: str) -> None:
        self.outcomes = list(outcomes)

    async def _call_record_intent(self, text: IntentText) -> str:
        outcome = self.outcomes.pop(0) if self.outcomes else "answered"
        if outcome == "not executed":
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        verdict = await super()._call_record_intent(text)
        if outcome == "executed":
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return verdict


@pytest.fixture
async def unanswered(store: TradeStore, desk_url: str):
    lossy = Unanswered(desk_url, shard="main", clock=store._clock)
    lossy.epoch = store.epoch
    await lossy.open()
    yield lossy
    await lossy.close()


async def test_a_lost_commit_is_found_by_its_trade(unanswered: Unanswered) -> None:
    unanswered.lose("executed")
    assert await record(unanswered, make_intent()) == "recorded"
    assert await count(Trade) == 1


async def test_a_lost_request_is_made_again(unanswered: Unanswered) -> None:
    unanswered.lose("not executed")
    assert await record(unanswered, make_intent()) == "recorded"
    assert await count(Trade) == 1


async def test_anothers_trade_of_the_key_is_not_taken_for_ours(unanswered: Unanswered) -> None:
    await record(unanswered, make_intent())
    unanswered.lose("executed")
    assert await record(unanswered, make_intent()) == "duplicate"


async def test_two_lost_answers_stay_unknown(unanswered: Unanswered) -> None:
    unanswered.lose("executed", "executed")
    trade_id = uuid4()
    with pytest.raises(OutcomeUnknown):
        await record(unanswered, make_intent(), trade_id=trade_id)
    assert await unanswered.has_trade(trade_id)


async def test_a_lost_observation_is_not_worth_asking_for(unanswered: Unanswered) -> None:
    unanswered.lose("not executed", "not executed")
    with pytest.raises(NotSent):
        await unanswered.record_intent(make_intent(), LIVE, trade_id=None, attempts=())


async def test_the_reservation_goes_with_the_close(store: TradeStore) -> None:
    intent = make_intent()
    await record(store, intent)
    (trade,) = await store.unfinished_trades()
    trade.state, trade.is_settled, trade.realised_pnl_usd = "closed", True, Decimal("-2.5")
    for attempt in trade.attempts:
        attempt.state = "done"
    await store.commit(trade, release=DayRelease(Decimal(150), Decimal(150), Decimal("-2.5")))
    day = await sync_to_async(RiskDay.objects.get)()
    assert (day.notional_reserved, day.notional_used) == (0, Decimal(150))
    assert day.realised == Decimal("-2.5")
    assert await record(
        store, make_intent(1), make_settings(daily_loss_cap_usd=Decimal("2.5"))
    ) == ("cap:daily_loss")


async def test_the_window_is_on_record_with_its_intent_and_never_goes_back(
    store: TradeStore,
) -> None:
    intent = make_intent()
    window = make_window(intent.window_id, version=3)
    verdict = await store.record_intent(
        intent,
        LIVE,
        trade_id=uuid4(),
        attempts=planned(intent),
        window=NoteWindow(window, "taken", "", "", ""),
    )
    assert verdict == "recorded"
    assert await store.open_windows() == [window]
    older = make_window(intent.window_id, version=2)
    await store.save_windows([(older, "watched", "", "", "")])
    assert await store.open_windows() == [window]


async def test_a_refused_intent_leaves_no_window_behind(store: TradeStore) -> None:
    intent = make_intent()
    await sync_to_async(risk.pause)("*", user="op", key="k", reason="")
    note = NoteWindow(make_window(intent.window_id), "taken", "", "", "")
    verdict = await store.record_intent(
        intent, LIVE, trade_id=uuid4(), attempts=planned(intent), window=note
    )
    assert verdict.startswith("mode:")
    assert await store.open_windows() == []
