"""The error of a trade is split into causes that sum to it, whatever happened."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.prediction import Causes, Finished, Flow, decompose, haircut_bps
from trading.tests.intents import make_pnl

D = Decimal
# Sells 10 for 1,520 on the book, buys them for 1,500 from the pool: 18.478 if all goes well.
TERMS = msgspec.structs.replace(
    make_pnl(D("16.5")),
    sell_proceeds=D(1520),
    buy_cost=D(1500),
    cex_fee=D("1.52"),
    chain_fee=D("0.002"),
    failure_cost=D("1.978"),
)
AS_QUOTED = Finished(
    asset="SOL",
    terms=TERMS,
    notional_usd=D(1520),
    buys_on_cex=False,
    qty=D(10),
    base_usd=D(151),
    cex=Flow(D(-10), D(1520), D("1.52")),
    dex=Flow(D(10), D(-1500)),
    hedge=Flow(),
    chain_usd=D("0.002"),
    realised_usd=D("18.478"),
)


def changed(**changes: object) -> Finished:
    return msgspec.structs.replace(AS_QUOTED, **changes)


def test_a_trade_as_quoted_errs_only_by_not_failing() -> None:
    assert decompose(AS_QUOTED) == Causes(D(0), D(0), D(0), D("1.978"), D(0), D("1.978"))


def test_slips_and_fees_are_told_apart() -> None:
    trade = changed(
        cex=Flow(D(-10), D(1518), D("1.6")),
        dex=Flow(D(10), D("-1500.5")),
        chain_usd=D("0.012"),
        realised_usd=D(1518) - D("1.6") - D("1500.5") - D("0.012"),
    )
    causes = decompose(trade)
    assert (causes.cex_slip, causes.dex_slip, causes.fees) == (D(-2), D("-0.5"), D("-0.09"))
    assert (causes.landing, causes.residual) == (D("1.978"), D(0))


def test_a_miss_is_landing_and_its_fee() -> None:
    trade = changed(cex=Flow(), dex=Flow(), chain_usd=D("0.001"), realised_usd=D("-0.001"))
    causes = decompose(trade)
    assert causes.error == D("-16.501")
    assert causes.fees == D("-0.001")
    assert causes.landing == causes.error - causes.fees
    assert causes.residual == 0


def test_a_hedged_leg_is_landing_not_slip() -> None:
    # The pool sold us 10, the order filled 4 at its price, a hedge sold 6 at 150.
    realised = D(608) + D(900) - D(1500) - D("0.608") - D("0.9") - D("0.002")
    causes = decompose(
        changed(
            cex=Flow(D(-4), D(608), D("0.608")),
            hedge=Flow(D(-6), D(900), D("0.9")),
            realised_usd=realised,
        )
    )
    assert causes.cex_slip == causes.dex_slip == causes.fees == causes.residual == 0
    assert causes.landing == causes.error


def test_base_left_over_is_the_residual() -> None:
    trade = changed(cex=Flow(D(-9), D(1368), D("1.368")))
    realised = D(1368) - D("1.368") - D(1500) - D("0.002") + D(151) * 1
    causes = decompose(msgspec.structs.replace(trade, realised_usd=realised - D("0.3")))
    assert causes.residual == D("-0.3")


usd = st.decimals("-3000", "3000", places=4)
flows = st.builds(Flow, st.decimals("-12", "12", places=3), usd, st.decimals("0", "5", places=3))


@given(flows, flows, flows, usd, st.booleans())
def test_the_causes_always_sum_to_the_error(
    cex: Flow, dex: Flow, hedge: Flow, realised: Decimal, buys: bool
) -> None:
    trade = changed(cex=cex, dex=dex, hedge=hedge, realised_usd=realised, buys_on_cex=buys)
    causes = decompose(trade)
    parts = (causes.cex_slip, causes.dex_slip, causes.fees, causes.landing, causes.residual)
    assert sum(parts, D(0)) == pytest.approx(realised - TERMS.expected, abs=D("1e-20"))
    assert causes.error == realised - TERMS.expected


def test_the_haircut_covers_four_of_five_and_needs_trades_that_came_off() -> None:
    def slipped(bps: int) -> Finished:
        usd = D(1520) * bps / 10_000
        return changed(cex=Flow(D(-10), D(1520) - usd, D("1.52")), realised_usd=D("18.478") - usd)

    trades = [slipped(bps) for bps in range(100)]
    missed = [changed(cex=Flow(), dex=Flow(), realised_usd=D(-1))] * 500
    assert haircut_bps(missed) is None
    assert haircut_bps(trades[:49]) is None
    assert haircut_bps([slipped(-3)] * 60) == 0
    assert haircut_bps(trades + missed, most=D(100)) == 79
    assert haircut_bps(trades) == 10
