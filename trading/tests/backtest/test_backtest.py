"""The back-test end to end on a simulated market, and the honesty of its counterfactual."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from arbsite.clock import seeded_random
from arbsite.errors import SetupError
from feeds.market.events import (
    BookUpdated,
    FeedProof,
    MarketEvent,
    PoolUpdated,
    SlotAdvanced,
)
from trading.backtest.desk import BacktestDesk, DeskSetup
from trading.backtest.figures import tail_mean
from trading.backtest.parameters import parse_set, setup_from
from trading.backtest.run import BacktestResult, run_backtest
from trading.backtest.simulated import SimulatedMarket, opening_balances
from trading.backtest.source import Tape, clipped
from trading.paper.trade import deltas_of
from trading.pricing import realised_pnl

MINUTES = 2.5


@pytest.fixture(scope="module")
def tape() -> Tape:
    """Two and a half busy minutes, made once."""
    market = SimulatedMarket("busy", 7, MINUTES)
    return Tape(market.name, market.specs, market.events())


def setup_of(tape: Tape, **values: str) -> DeskSetup:
    kraken, solana = opening_balances()
    return setup_from(values, tape.specs, kraken=kraken, solana=solana)


def desk_over(tape: Tape, seed: int = 1, **values: str) -> BacktestDesk:
    desk = BacktestDesk(
        tape.specs, setup_of(tape, **values), lambda name: seeded_random(f"{seed}/{name}")
    )
    for event in tape.events():
        desk.handle(event)
    desk.finish()
    return desk


def shifted(event: MarketEvent, by_ns: int) -> MarketEvent:
    return msgspec.structs.replace(event, recv_ns=event.recv_ns + by_ns)


@pytest.fixture(scope="module")
def desk(tape: Tape) -> BacktestDesk:
    return desk_over(tape)


@pytest.fixture(scope="module")
def result(tape: Tape) -> BacktestResult:
    wide = setup_of(tape, fee_tier="40")
    return run_backtest(tape, [setup_of(tape), wide], 1)


def test_a_simulated_market_is_repeatable_ordered_and_whole(tape):
    again = SimulatedMarket("busy", 7, 0.5)
    other = SimulatedMarket("busy", 8, 0.5)
    first = list(again.events())
    assert first == list(again.events())
    assert first != list(other.events())
    assert again.digest() != other.digest()
    stamps = [event.recv_ns for event in tape.events()]
    assert stamps == sorted(stamps)
    seen = {type(event) for event in tape.events()}
    assert {BookUpdated, PoolUpdated, SlotAdvanced} <= seen
    slots = [event.slot for event in tape.events() if isinstance(event, SlotAdvanced)]
    assert len(slots) > MINUTES * 60 / 0.4 * 0.9
    for event in tape.events():
        if isinstance(event, BookUpdated):
            assert event.bids[0][0] < event.asks[0][0]
            assert event.recv_ns > event.venue_at_ns


def test_only_the_asked_assets_and_their_marks_are_told():
    market = SimulatedMarket("busy", 7, 0.2, assets=["WIF"])
    symbols = {event.symbol for event in market.events() if isinstance(event, BookUpdated)}
    assert symbols == {"WIF/USDT", "USDT/USD", "USDC/USD", "SOL/USD"}
    assert set(market.specs) == {"WIF"}
    with pytest.raises(ValueError, match="no simulated market of DOGE"):
        SimulatedMarket("busy", 7, 1, assets=["DOGE"])


def test_a_tape_is_what_was_saved(tape, tmp_path):
    short = Tape("short", tape.specs, list(tape.events())[:500])
    short.save(tmp_path / "tape")
    loaded = Tape.load(tmp_path / "tape")
    assert list(loaded.events()) == list(short.events())
    assert loaded.digest() == short.digest()
    assert loaded.specs == short.specs
    (tmp_path / "tape").write_bytes(b"nonsense")
    with pytest.raises(SetupError, match="is not a tape"):
        Tape.load(tmp_path / "tape")


def test_the_clip_is_half_open(tape):
    first = tape.span_ns[0]
    part = list(clipped(tape.events(), first + 10**9, first + 2 * 10**9))
    assert part
    assert all(10**9 <= event.recv_ns - first < 2 * 10**9 for event in part)


def test_the_desk_trades_and_its_ledger_is_its_fills(tape, desk):
    assert len(desk.trades) > 9
    kraken, solana = opening_balances()
    moved: dict[str, Decimal] = {}
    for trade in desk.trades:
        found = deltas_of(trade.fills, trade.asset)
        for asset, delta in found.items():
            moved[asset] = moved.get(asset, Decimal(0)) + delta
    if not desk.ledger.rebalances:
        for asset in {*kraken, *solana}:
            opened = kraken.get(asset, Decimal(0)) + solana.get(asset, Decimal(0))
            total = desk.ledger.kraken.get(asset, Decimal(0)) + desk.ledger.solana.get(
                asset, Decimal(0)
            )
            assert total - opened == moved.get(asset, Decimal(0))
    for trade in desk.trades:
        marks = {fill.quote_asset for fill in trade.fills}
        assert marks <= {"USD", "USDT", "USDC"}


def test_pnl_recomputed_from_fills_is_the_booked_one(tape, desk):
    marks = {"USD", "USDC", "SOL"}
    both = [trade for trade in desk.trades if trade.outcome == "both" and trade.asset == "SOL"]
    assert both
    for trade in both:
        deltas = deltas_of(trade.fills, "SOL")
        assert set(deltas) <= marks
        # The residual is zero, so the base mark does not matter: dollars and the chain's fee.
        assert abs(trade.residual_base) < Decimal("0.001")
        dollars = realised_pnl(
            {asset: delta for asset, delta in deltas.items() if asset != "SOL"},
            {"USD": Decimal(1), "USDC": Decimal(1)},
        )
        assert abs(dollars - trade.realised_usd) < abs(trade.realised_usd) + 2


def test_the_same_seed_gives_the_same_trades_and_another_one_others(tape, desk):
    assert desk_over(tape).trades == desk.trades
    assert desk_over(tape, seed=2).trades != desk.trades


def test_without_us_nothing_of_ours_is_in_the_windows(desk):
    causes = {row.close_cause for row in desk.shadow_windows.values()}
    assert causes
    assert "own_trade" not in causes


def test_a_desk_that_may_not_trade_sees_exactly_the_counterfactual_windows(tape):
    watching = desk_over(tape, min_profit_usd="0.05", daily_trades_cap="0")
    assert watching.trades == []
    own = {note.window.window_id for note in watching.windows.values()}
    assert own == set(watching.shadow_windows)
    for note in watching.windows.values():
        shadow = watching.shadow_windows[note.window.window_id]
        assert note.window.opened_at_ns == shadow.opened_at_ns
        assert note.window.closed_at_ns == shadow.closed_at_ns


def test_figures_hang_together(result):
    first, wide = result.columns
    assert first.attempts == sum(first.outcomes.values()) > 9
    assert first.capture_count.n == first.eligible <= first.windows
    assert first.capture_count.low <= first.capture_count.value <= first.capture_count.high
    assert first.eligible + sum(first.blocked_by.values()) == first.windows
    assert float(first.oracle_usd) > 0
    error = Decimal(first.pnl_usd) - Decimal(first.expected_usd)
    assert abs(error - Decimal(first.slips_usd["error"])) < Decimal("0.0001")
    parts = sum(Decimal(v) for k, v in first.slips_usd.items() if k != "error")
    assert abs(parts - error) < Decimal("0.0001")
    assert first.series.equity[-1][1] == pytest.approx(float(first.pnl_usd), abs=1e-4)
    assert sum(first.series.windows_by_hour) == first.eligible
    assert sum(first.series.error_counts) == first.attempts
    assert first.detect_to_fills_ms.p50 > 200
    # At four times the fee hardly any gap is an opportunity.
    assert wide.windows < first.windows / 3
    assert result.source_hash
    assert result.to_ns > result.from_ns


def test_what_the_host_reads_again_and_again_never_grows_old():
    """Fees, balances and chain prices age: hours into a quiet market they still stand."""
    market = SimulatedMarket("busy", 7, 0.5, assets=["SOL"])
    quiet_ns, start_ns = 1_800 * 10**9, market.span_ns[0]
    alive = [
        FeedProof(venue, "*", start_ns + at_ns)
        for at_ns in range(0, quiet_ns, 2 * 10**9)
        for venue in ("kraken", "solana")
    ]
    late = [shifted(event, quiet_ns) for event in market.events()]
    tape = Tape("late", market.specs, [*alive, *late])
    desk = desk_over(tape)
    assert desk.trades
    gates = {note.window.blocked_by for note in desk.windows.values()}
    assert not gates & {"fees", "balances"}


def test_progress_ends_at_one(tape):
    short = Tape("short", tape.specs, list(tape.events())[:9_000])
    told: list[float] = []
    run_backtest(short, [setup_of(tape)], 1, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == len(short) // 4_000 + 1


def test_parameters_are_read_as_what_they_replace(tape):
    setup = setup_of(
        tape,
        **parse_set(
            ["fee_tier=12.5", "min_edge_bps=3", "leg_order=concurrent", "landing.land_p=0.4"]
        ),
    )
    assert set(setup.taker.values()) == {Decimal("0.00125")}
    assert setup.settings["SOL"].min_edge_bps == Decimal(3)
    assert setup.settings["SOL"].leg_order == "concurrent"
    assert setup.model.landing.land_p == 0.4
    assert setup_of(tape, rebalancing="off").rebalancing is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["min_edge_bps"], "not name=value"),
        (["min_edge=3"], "No parameter 'min_edge'"),
        (["mode=live"], "No parameter 'mode'"),
        (["min_edge_bps=1", "min_edge_bps=2"], "set twice"),
    ],
)
def test_unreadable_parameters_are_named(words, says):
    with pytest.raises(SetupError, match=says):
        parse_set(words)


@pytest.mark.parametrize(
    "values",
    [{"min_edge_bps": "wide"}, {"cooldown_ms": "1.5"}, {"leg_order": "both"}, {"fee_tier": "-1"}],
)
def test_values_of_the_wrong_kind_are_refused(tape, values):
    with pytest.raises(SetupError):
        setup_of(tape, **values)


def test_the_tail_is_the_mean_of_the_worst_hundredth():
    values = [Decimal(n) for n in range(200)]
    assert tail_mean(values) == Decimal("0.5")
    assert tail_mean([]) == 0
