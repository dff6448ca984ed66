"""The matching core: checks, exact money, client ids, resting orders, and what survives a kill."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from arbsite.clock import ManualClock
from feeds.sim.kraken.records import (
    BalancesMoved,
    ExchangeEvent,
    Executed,
    Order,
    OrderRefused,
)
from feeds.sim.tests.kraken.rig import BTC, KEY, LOT, SOL, Venue, account
from feeds.sim.truth import TruthStore


def venue(**options: Any) -> Venue:
    made = Venue(clock=ManualClock(), **options)
    made.quote()
    return made


def refusal(made: Venue, **overrides: Any) -> str:
    before = made.exchange.balances(KEY)
    with pytest.raises(OrderRefused) as refused:
        made.exchange.place(KEY, made.request(**overrides))
    assert made.exchange.balances(KEY) == before
    return refused.value.error


def ledger_sums(truth: TruthStore, name: str = KEY) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in truth.ledger(name):
        sums[entry.asset] += Decimal(entry.delta)
    return dict(sums)


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ({"symbol": "XBT/USD"}, "EQuery:Unknown asset pair"),
        ({"limit_price": Decimal("150.011")}, "EOrder:Tick size check failed"),
        ({"limit_price": Decimal(-1)}, "EOrder:Invalid price"),
        ({"qty": Decimal("0.123456789")}, "EGeneral:Invalid arguments:volume"),
        ({"qty": Decimal("0.04")}, "EOrder:Order minimum not met"),
        ({"limit_price": Decimal("0.01")}, "EOrder:Cost minimum not met"),
        ({"qty": Decimal(700)}, "EOrder:Insufficient funds"),
        ({"qty": Decimal(501), "side": "sell"}, "EOrder:Insufficient funds"),
        ({"cl_ord_id": "nineteen characters"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"is_post_only": True, "time_in_force": "gtc"}, "EOrder:Post only order"),
    ],
)
def test_a_bad_order_is_refused_in_the_venues_words(overrides: dict[str, Any], error: str) -> None:
    assert refusal(venue(), **overrides) == error


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("maintenance", "EService:Unavailable"),
        ("cancel_only", "EService:Market in cancel_only mode"),
        ("post_only", "EService:Market in post_only mode"),
    ],
)
def test_an_engine_or_pair_that_does_not_match_refuses(status: str, error: str) -> None:
    made = venue()
    made.exchange.set_pair_status("SOL/USD", status)
    assert refusal(made) == error
    made.exchange.set_pair_status("SOL/USD", "online")
    made.exchange.set_system_status(status)
    assert refusal(made) == error
    made.exchange.set_system_status("online")
    assert made.exchange.place(KEY, made.request()).status == "filled"


def test_a_late_order_does_not_match() -> None:
    made = venue()
    request = made.request(deadline_ns=made.clock.now_ns() + 5)
    made.clock.advance_ns(6)
    with pytest.raises(OrderRefused, match="EService:Deadline elapsed"):
        made.exchange.place(KEY, request)
    assert made.exchange.true_trades() == []


def test_an_order_sweeps_levels_and_pays_exactly() -> None:
    made = venue()
    order = made.exchange.place(
        KEY, made.request(qty=Decimal("1.33333333"), limit_price=Decimal("150.02"))
    )
    trades = made.exchange.true_trades(KEY)
    assert [(t.price, t.qty) for t in trades] == [
        (Decimal("150.01"), Decimal("1.00000000")),
        (Decimal("150.02"), Decimal("0.33333333")),
    ]
    # 150.02 · 0.33333333 = 50.0066661666 and a tenth of a per cent of it, half up at 8 places.
    assert [t.cost for t in trades] == [Decimal("150.01000000"), Decimal("50.00666617")]
    assert [t.fee for t in trades] == [Decimal("0.15001000"), Decimal("0.05000667")]
    assert order.status == "filled"
    balances = made.exchange.balances(KEY)
    assert balances["SOL"] == Decimal("501.33333333")
    assert balances["USD"] == Decimal("99799.78331716")
    assert ledger_sums(made.truth) == balances


def test_an_ioc_remainder_is_cancelled_and_the_book_stays_eaten() -> None:
    made = venue()
    order = made.exchange.place(KEY, made.request(qty=Decimal(5)))
    assert (order.status, order.filled_qty) == ("canceled", Decimal(1))
    assert made.exchange.levels("SOL/USD")[1][0] == (15_002, LOT)
    made.quote()
    assert made.exchange.levels("SOL/USD")[1][0] == (15_001, LOT)


def test_a_closed_client_id_trades_twice_and_an_open_one_is_refused() -> None:
    made = venue()
    name = "0191c3a5-7d1e-7b0a-8a59-0c0c0c0c0c0c"
    first = made.exchange.place(KEY, made.request(cl_ord_id=name))
    second = made.exchange.place(KEY, made.request(cl_ord_id=name))
    assert first.order_id != second.order_id
    assert [t.qty for t in made.exchange.true_trades(KEY)] == [Decimal("0.5")] * 2
    resting = {"time_in_force": "gtc", "limit_price": Decimal("149.00"), "cl_ord_id": name}
    made.exchange.place(KEY, made.request(**resting))
    # The same number spelt without dashes and in capitals is the same id.
    other = name.replace("-", "").upper()
    assert refusal(made, cl_ord_id=other) == "EGeneral:Invalid arguments:cl_ord_id"
    assert len(made.exchange.accounts.by_client_id(KEY, other)) == 3


def test_a_resting_order_binds_funds_fills_as_maker_and_stops_its_own_taker() -> None:
    made = venue(accounts={KEY: account(maker_fee="0.0005")})
    order = made.exchange.place(
        KEY, made.request(time_in_force="gtc", limit_price=Decimal("149.99"), qty=Decimal(2))
    )
    assert order.is_open
    assert made.exchange.accounts.holds(KEY) == {"USD": Decimal("300.2799800000")}
    # At one price the market-makers' lot goes first, then ours.
    assert made.exchange.take("SOL/USD", "sell", 3 * LOT, 14_999) == 3 * LOT
    assert made.exchange.true_trades(KEY)[0].liquidity == "m"
    assert order.left_qty == Decimal(1)
    sold = made.exchange.place(KEY, made.request(side="sell", limit_price=Decimal("149.99")))
    assert (sold.status, sold.filled_qty) == ("canceled", 0)
    made.exchange.quote_ladder("SOL/USD", [], [(14_990, 5 * LOT)])
    assert order.status == "filled"
    assert made.exchange.levels("SOL/USD") == ([], [(14_990, 4 * LOT)])
    assert made.exchange.accounts.holds(KEY) == {}
    assert ledger_sums(made.truth) == made.exchange.balances(KEY)


def test_the_order_counter_of_a_pair_fills_up_and_decays() -> None:
    made = venue(accounts={KEY: account(rate_tier="starter")})
    for _ in range(60):
        refusal(made, qty=Decimal("0.01"))
    assert refusal(made) == "EOrder:Rate limit exceeded"
    assert refusal(made, symbol="BTC/USD") != "EOrder:Rate limit exceeded"
    made.clock.advance_ns(1_000_000_000)
    assert made.exchange.place(KEY, made.request()).status == "filled"


def test_two_keys_of_one_account_share_money_but_not_nonces() -> None:
    made = venue(accounts={KEY: account(other_keys={"reader": "c2VjcmV0"})})
    made.exchange.place(KEY, made.request())
    assert made.exchange.balances("reader") == made.exchange.balances(KEY)
    accounts = made.exchange.accounts
    assert accounts.accept_nonce(KEY, 5)
    assert not accounts.accept_nonce(KEY, 5)
    assert accounts.accept_nonce("reader", 5)


def test_a_new_precision_voids_the_book_and_cancels_what_rests() -> None:
    made = venue()
    order = made.exchange.place(
        KEY, made.request(time_in_force="gtc", limit_price=Decimal("149.99"))
    )
    made.exchange.replace_pair(msgspec.structs.replace(SOL, price_precision=3))
    assert order.status == "canceled"
    assert made.exchange.levels("SOL/USD") == ([], [])
    made.quote(bid=150_000)
    done = made.exchange.place(KEY, made.request(limit_price=Decimal("150.001")))
    assert done.status == "filled"


def test_a_killed_exchange_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "truth.sqlite3"
    made = venue(truth=TruthStore(path))
    made.exchange.place(KEY, made.request(cl_ord_id="first"))
    made.exchange.place(
        KEY,
        made.request(time_in_force="gtc", limit_price=Decimal("149.50"), cl_ord_id="resting"),
    )
    assert made.exchange.accounts.accept_nonce(KEY, 77)
    # Nothing is closed: the second store reads what a SIGKILL would have left.
    again = Venue(clock=made.clock, truth=TruthStore(path))
    assert again.exchange.balances(KEY) == made.exchange.balances(KEY)
    assert again.exchange.true_trades() == made.exchange.true_trades()
    assert stored(again) == stored(made)
    assert not again.exchange.accounts.accept_nonce(KEY, 77)
    assert ledger_sums(again.truth) == again.exchange.balances(KEY)
    assert again.exchange.levels("SOL/USD") == ([(14_950, LOT // 2)], [])
    again.quote()
    fresh = again.exchange.place(KEY, again.request())
    assert fresh.order_id not in made.exchange.accounts.orders
    known = {trade.txid for trade in made.exchange.true_trades()}
    assert again.exchange.true_trades()[-1].txid not in known


def test_nothing_is_told_before_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "truth.sqlite3"
    made = venue(truth=TruthStore(path))
    told: list[str] = []

    def hear(event: ExchangeEvent) -> None:
        # A second connection sees only what is committed, as a restarted venue would.
        kept = TruthStore(path)
        if isinstance(event, Executed):
            assert kept.get("kraken.order", event.order.order_id) is not None
            if event.trade is not None:
                assert kept.get("kraken.trade", event.trade.txid) is not None
            told.append(event.exec_type)
        elif isinstance(event, BalancesMoved):
            assert ledger_sums(kept) == made.exchange.balances(KEY)
            told.append("balances")
        kept.close()

    made.exchange.listen(hear)
    made.exchange.place(KEY, made.request())
    assert told == ["pending_new", "new", "trade", "balances", "filled"]


def stored(made: Venue) -> dict[str, Order]:
    return dict(made.exchange.accounts.orders)


def test_two_fresh_venues_do_not_share_ids() -> None:
    one, other = venue(), Venue(clock=ManualClock(1_800_000_000_000_000_000))
    other.quote()
    ids = {made.exchange.place(KEY, made.request()).order_id for made in (one, other)}
    assert len(ids) == 2
    assert all(len(each) == 19 and each[0] == "O" and each[6] == each[12] == "-" for each in ids)


@pytest.mark.parametrize("seed", range(5))
def test_the_ledger_sums_to_the_balances_whatever_happens(seed: int) -> None:
    rng = Random(seed)
    made = venue(accounts={KEY: account(maker_fee="0.0003"), "two": account(taker_fee="0.0026")})
    for _ in range(150):
        act = rng.random()
        name = rng.choice([KEY, "two"])
        if act < 0.3:
            made.quote(bid=rng.randint(14_990, 15_010), lots=rng.randint(1, 2 * LOT))
        elif act < 0.5:
            side = rng.choice(["buy", "sell"])
            made.exchange.take("SOL/USD", side, rng.randint(1, LOT), 15_000)
        elif act < 0.6:
            made.exchange.cancel(name, made.exchange.accounts.open_orders(name)[:1])
        else:
            request = made.request(
                side=rng.choice(["buy", "sell"]),
                qty=Decimal(rng.randint(5 * 10**6, 2 * LOT)).scaleb(-8),
                limit_price=Decimal(rng.randint(14_990, 15_010)).scaleb(-2),
                time_in_force=rng.choice(["ioc", "gtc"]),
            )
            made.exchange.place(name, request)
        made.clock.advance_ns(2_000_000_000)
    assert len(made.exchange.true_trades()) > 30
    for name in (KEY, "two"):
        assert ledger_sums(made.truth, name) == made.exchange.balances(name)
    for order in made.exchange.accounts.orders.values():
        trades = [made.exchange.accounts.trades[txid] for txid in order.trade_ids]
        assert order.filled_qty == sum((t.qty for t in trades), Decimal(0)) <= order.qty
        sign = 1 if order.side == "buy" else -1
        assert all(sign * t.price <= sign * order.limit_price for t in trades)


def test_pair_names_in_rest_spelling() -> None:
    assert (SOL.rest_key, BTC.rest_key, BTC.altname) == ("SOLUSD", "XXBTZUSD", "XBTUSD")
    usdt = msgspec.structs.replace(SOL, symbol="USDT/USD", base="USDT")
    assert usdt.rest_key == "USDTZUSD"
