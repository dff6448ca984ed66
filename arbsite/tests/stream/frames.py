"""Hand-made frames for the tests of socket and relay."""

from __future__ import annotations

from arbsite import events


def spread(asset: str, at_ns: int) -> events.SpreadRow:
    return events.SpreadRow(
        asset=asset,
        direction="buy_dex_sell_cex",
        cex_symbol=f"{asset}/USD",
        cex_price="1.5",
        dex_price="1.4",
        gross_bps=10.0,
        cost_bps=4.0,
        net_bps=6.0,
        size_usd="100",
        size_base="70",
        limited_by="optimum",
        state="armed",
        reason="",
        book_age_ms=1.0,
        proof_age_ms=1.0,
        pool_age_ms=1.0,
        slot_lag=0,
        at_ns=at_ns,
    )


def status(at_ns: int, mode: events.Mode = "live") -> events.StatusFrame:
    return events.StatusFrame(
        mode=mode,
        beat_ns=at_ns,
        started_at_ns=1,
        epoch=1,
        control_version=1,
        config_version=1,
        applied_commands=("c1",),
        reasons=(),
        venues=(),
        open_trades=0,
        unhedged_usd="0.00",
        profile="sim",
    )


def trade(version: int) -> events.TradeRow:
    return events.TradeRow(
        id="t1",
        version=version,
        intent_key="k1",
        asset="SOL",
        direction="buy_dex_sell_cex",
        policy="concurrent",
        state="open",
        outcome="pending",
        verified=False,
        size_base="1",
        notional_usd="150",
        expected_pnl_usd="0.5",
        realised_pnl_usd=None,
        detect_at_ns=1,
        both_filled_ms=None,
        residual_base="0",
        legs=(),
        closed_at_ns=None,
    )
