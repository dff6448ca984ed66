"""Rows of the simulated Kraken's REST results: assets, pairs, fees, orders, trades.

Pure formatting of records into the venue's objects; every number is text.
"""

from __future__ import annotations

from decimal import Decimal

from feeds.sim.kraken.records import Order, PairSpec, Trade, altname, rest_asset_id


def wsname(spec: PairSpec) -> str:
    """REST's `wsname`, which is the old WebSocket name and is refused by the new one."""
    return f"{altname(spec.base)}/{altname(spec.quote)}"


def asset_row(name: str) -> dict[str, object]:
    """One entry of `Assets`."""
    return {
        "aclass": "currency",
        "altname": altname(name),
        "decimals": 8,
        "display_decimals": 5,
        "status": "enabled",
    }


def pair_row(spec: PairSpec) -> dict[str, object]:
    """One entry of `AssetPairs`. The fee tables are empty, as they are at the venue."""
    return {
        "altname": spec.altname,
        "wsname": wsname(spec),
        "aclass_base": "currency",
        "base": rest_asset_id(spec.base),
        "aclass_quote": "currency",
        "quote": rest_asset_id(spec.quote),
        "lot": "unit",
        "cost_decimals": spec.cost_precision,
        "pair_decimals": spec.price_precision,
        "lot_decimals": spec.qty_precision,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [],
        "fees_maker": [],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": spec.qty_min,
        "costmin": spec.cost_min,
        "tick_size": format(Decimal(1).scaleb(-spec.price_precision), "f"),
        "status": spec.status,
    }


def fee_row(fraction: str) -> dict[str, object]:
    """One entry of `TradeVolume`: percent text of a fee fraction."""
    percent = format((Decimal(fraction) * 100).quantize(Decimal("0.0001")), "f")
    return {
        "fee": percent,
        "minfee": percent,
        "maxfee": percent,
        "nextfee": None,
        "nextvolume": None,
        "tiervolume": "0.0000",
    }


def order_row(found: tuple[Order, PairSpec]) -> dict[str, object]:
    """One order of OpenOrders, ClosedOrders and QueryOrders.

    A partly filled IOC is `canceled` with `vol_exec` above zero.
    """
    order, spec = found
    average = order.cost / order.filled_qty if order.filled_qty else Decimal(0)
    words = {"open": "open", "filled": "closed", "canceled": "canceled"}
    qty, price = format(order.qty, "f"), format(order.limit_price, "f")
    row: dict[str, object] = {
        "refid": None,
        "userref": order.userref or None,
        "status": words[order.status],
        "opentm": _seconds(order.opened_ns),
        "starttm": 0,
        "expiretm": 0,
        "timeinforce": order.time_in_force.upper(),
        "descr": {
            "pair": spec.altname,
            "type": order.side,
            "ordertype": "limit",
            "price": price,
            "price2": "0",
            "leverage": "none",
            "order": f"{order.side} {qty} {spec.altname} @ limit {price}",
            "close": "",
        },
        "vol": qty,
        "vol_exec": format(order.filled_qty, "f"),
        "cost": format(order.cost, "f"),
        "fee": format(order.fee, "f"),
        "price": format(average.quantize(Decimal("1E-8")), "f"),
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
        "trades": order.trade_ids,
    }
    if order.cl_ord_id:
        row["cl_ord_id"] = order.cl_ord_id
    if not order.is_open:
        row |= {"closetm": _seconds(order.closed_ns), "reason": order.reason or None}
    return row


def trade_row(trade: Trade, spec: PairSpec) -> dict[str, object]:
    """One trade of TradesHistory; the pair is named by REST's key."""
    return {
        "ordertxid": trade.order_id,
        "pair": spec.rest_key,
        "time": _seconds(trade.at_ns),
        "type": trade.side,
        "ordertype": "limit",
        "price": format(trade.price, "f"),
        "cost": format(trade.cost, "f"),
        "fee": format(trade.fee, "f"),
        "vol": format(trade.qty, "f"),
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": trade.trade_id,
        "maker": trade.liquidity == "m",
    }


def _seconds(ns: int) -> float:
    """Unix seconds with the venue's four decimals and a little more."""
    return ns // 1_000 / 1e6
