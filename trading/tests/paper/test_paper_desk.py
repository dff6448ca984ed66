"""PAPER from decision to booked model trade: own ledger, own day, nothing of it live."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from trading.inputs import DayUsage, HoldingsKnown
from trading.storage.paper_store import ABANDONED
from trading.tests.paper.rig import WIDE, Rig, story

LIVE_TABLES = ("trade", "attempt", "fill", "ledgerentry")


@story
async def test_a_paper_trade_is_decided_filled_and_booked_apart_from_live_ones(rig: Rig) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    closed = await rig.trade_once()
    assert closed.book == "paper"
    (trade,) = await rig.rows("SELECT * FROM trading_papertrade")
    assert (trade["state"], trade["outcome"]) == ("closed", closed.outcome)
    assert trade["realised_pnl_usd"] == closed.realised_usd
    assert trade["outcome"] == "both"
    assert trade["both_filled_ns"] > trade["detect_ns"]
    for table in LIVE_TABLES:
        assert await rig.rows(f"SELECT * FROM trading_{table}") == []
    assert await rig.rows("SELECT * FROM risk_riskday") == []
    (decision,) = await rig.rows("SELECT mode FROM trading_opportunity")
    assert decision["mode"] == "paper"
    (window,) = await rig.rows("SELECT decision FROM trading_window")
    assert window["decision"] == "stored"


@story
async def test_the_paper_ledger_starts_with_the_real_balances_and_moves_by_the_fills(
    rig: Rig,
) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    await rig.trade_once()
    sums = await rig.rows(
        "SELECT venue, asset, sum(delta) FILTER (WHERE kind = 'seed') AS opened,"
        " coalesce(sum(delta) FILTER (WHERE kind <> 'seed'), 0) AS moved"
        " FROM trading_paperentry GROUP BY venue, asset"
    )
    opened = {(row["venue"], row["asset"]): row["opened"] for row in sums}
    assert opened["kraken", "SOL"] == opened["solana", "SOL"] == 1000
    assert opened["kraken", "USD"] == opened["solana", "USDC"] == 150_000
    moved = {(row["venue"], row["asset"]): row["moved"] for row in sums}
    size = rig.intents[0].qty_lots / Decimal(10) ** rig.spec.qty_precision
    assert moved["kraken", "SOL"] == -size
    assert moved["kraken", "USD"] > 0 > moved["solana", "USDC"]
    # Told to the engine as its paper balances, never as the real ones.
    told = [e for e in rig.heard if isinstance(e, HoldingsKnown) and e.book == "paper"][-1]
    assert told.kraken["SOL"] == 1000 - size
    live = rig.engine.state.reservations.holdings
    assert live is not None
    assert live.kraken["SOL"] == 1000


@story
async def test_the_paper_day_counts_and_its_cap_refuses_in_the_record(rig: Rig) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    await rig.trade_once()
    (day,) = await rig.rows("SELECT * FROM risk_paperday")
    assert (day["trades"], day["notional_reserved"]) == (1, 0)
    assert day["notional_used"] == rig.intents[0].notional_usd
    told = [e for e in rig.heard if isinstance(e, DayUsage) and e.book == "paper"][-1]
    assert (told.trades, told.loss_usd) == (1, -day["realised"])
    # The engine does not know of a loss yet: the record refuses by itself.
    rig.settings = rig.settings.__class__(asset="SOL", version=1, mode="paper", daily_trades_cap=1)
    rig.mid = WIDE
    await rig.until(lambda: bool(rig.refusals))
    assert rig.refusals[0] == "cap:daily_trades"


@story
async def test_the_record_refuses_what_the_controls_no_longer_allow(rig: Rig) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    for sql, expected in (
        ("UPDATE risk_control SET mode = 'observe' WHERE scope = 'SOL'", "mode:observe"),
        ("UPDATE risk_control SET mode = 'live' WHERE scope = 'SOL'", ""),
        ("UPDATE trading_assetconfig SET mode = 'live'", "mode:live"),
        ("UPDATE trading_assetconfig SET mode = 'paper', version = 9", "config"),
    ):
        await rig.change(sql)
        if not expected:
            continue
        seen = len(rig.refusals)
        rig.mid = WIDE
        await rig.until(lambda seen=seen: len(rig.refusals) > seen)
        assert rig.refusals[-1] == expected
        rig.mid = WIDE - 45
        await asyncio.sleep(1.5)
    assert await rig.rows("SELECT * FROM trading_papertrade") == []


@story
async def test_a_restart_abandons_what_the_model_had_not_ended_and_keeps_the_money(
    rig: Rig,
) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    await rig.trade_once()
    (first,) = await rig.rows("SELECT * FROM trading_papertrade")
    rig.mid = WIDE
    await rig.until(lambda: len(rig.intents) == 2)
    await asyncio.sleep(0.02)
    assert len(await rig.rows("SELECT 1 FROM trading_papertrade WHERE state = 'open'")) == 1
    await rig.stop()
    second = Rig(rig.dsn)
    await second.start()
    await second.until(lambda: second.paper.is_on)
    trades = await rig.rows("SELECT * FROM trading_papertrade ORDER BY detect_ns")
    assert [trade["outcome"] for trade in trades] == ["both", "stale"]
    assert trades[1]["reason"] == ABANDONED
    assert trades[0] == first
    (day,) = await rig.rows("SELECT * FROM risk_paperday")
    assert day["notional_reserved"] == 0
    told = [e for e in second.heard if isinstance(e, HoldingsKnown) and e.book == "paper"][-1]
    assert told.kraken["SOL"] < 1000
    await second.stop()


@story
async def test_an_asset_that_left_paper_sees_the_real_market_again(rig: Rig) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    rig.mid = WIDE
    await rig.until(lambda: bool(rig.closed))
    now = rig.clock.now_ns()
    feeds = rig.engine.state.feeds
    moved = feeds.curves["POOL-SOL"].updated
    rig.set_mode("observe")
    await rig.until(lambda: not rig.paper.is_on)
    await asyncio.sleep(0.5)
    assert moved.recv_ns <= now
    real = feeds.curves["POOL-SOL"].updated.state
    assert real.sqrt_price != moved.state.sqrt_price


@story
async def test_frames_of_paper_are_marked(rig: Rig) -> None:
    await rig.start()
    await rig.until(lambda: rig.paper.is_on)
    await rig.trade_once()
    sent = await rig.rows("SELECT subject, payload FROM trading_outbox ORDER BY id")
    kinds = [(row["subject"].rsplit(".", 1)[0], row["payload"]) for row in sent]
    (tried,) = [payload for kind, payload in kinds if kind == "exec.try"]
    assert tried["mode"] == "paper"
    results = [payload["trade"] for kind, payload in kinds if kind == "exec.result"]
    assert [(trade["book"], trade["state"]) for trade in results] == [
        ("paper", "open"),
        ("paper", "closed"),
    ]
    assert {leg["reference"] for leg in results[-1]["legs"]} == {"model"}
