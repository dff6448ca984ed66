"""The text of the simulated Kraken's WebSocket frames.

Numbers are written as tokens here and nowhere parsed from floats: `Decimal` keeps its own
digits, `float` gets Python's shortest form (which is how `instrument` shows `1e-08`).
Key order and spelling follow recorded frames. Not here: when a frame is sent, to whom.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from arbsite.clock import at_from_ns
from feeds.sim.kraken.ladder import DepthWindow
from feeds.sim.kraken.records import (
    BalancesMoved,
    Executed,
    Level,
    Order,
    PairSpec,
    Printed,
    Trade,
)

HEARTBEAT = '{"channel":"heartbeat"}'
TICK_SIZE_WARNING = "tick_size is deprecated, use price_increment"


def encode(value: object) -> str:
    """JSON text of plain values; Decimals become bare tokens with their own digits."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(encode(each) for each in value) + "]"
    return json.dumps(value, allow_nan=False)


def stamp(ns: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    return at_from_ns(ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def frame(channel: str, kind: str, data: object, **extra: object) -> str:
    """One channel frame."""
    return encode({"channel": channel, "type": kind, "data": data, **extra})


def status_frame(system: str, connection_id: int) -> str:
    """The first frame of every socket, and each change of the engine's state."""
    entry = {
        "version": "2.0.10",
        "system": system,
        "api_version": "v2",
        "connection_id": connection_id,
        "upcoming_maintenance": [],
        "emergency": [],
    }
    return frame("status", "update", [entry])


def book_frame(
    kind: str, window: DepthWindow, bids: Iterable[Level], asks: Iterable[Level], crc: int, ns: int
) -> str:
    """A `book` snapshot or update; written by hand because it is the hot one."""

    def side(levels: Iterable[Level]) -> str:
        rows = (window.tokens(level) for level in levels)
        return ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in rows)

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{window.spec.symbol}",'
        f'"bids":[{side(bids)}],"asks":[{side(asks)}],"checksum":{crc},'
        f'"timestamp":"{stamp(ns)}"}}]}}'
    )


def trade_frame(spec: PairSpec, printed: Printed) -> str:
    """A public trade."""
    entry = {
        "symbol": spec.symbol,
        "side": printed.side,
        "price": Decimal(printed.ticks).scaleb(-spec.price_precision),
        "qty": Decimal(printed.lots).scaleb(-spec.qty_precision),
        "ord_type": "limit",
        "trade_id": printed.trade_id,
        "timestamp": stamp(printed.at_ns),
    }
    return frame("trade", "update", [entry])


def instrument_frame(kind: str, pairs: Sequence[PairSpec]) -> str:
    """The `instrument` channel: `data` is an object, increments are floats."""
    names = dict.fromkeys(name for spec in pairs for name in (spec.base, spec.quote))
    assets = [_asset_entry(name) for name in names] if kind == "snapshot" else []
    data = {"assets": assets, "pairs": [_pair_entry(spec) for spec in pairs]}
    return frame("instrument", kind, data)


def _asset_entry(name: str) -> dict[str, object]:
    return {
        "id": name,
        "status": "enabled",
        "precision": 8,
        "precision_display": 5,
        "borrowable": False,
        "collateral_value": 1.0,
    }


def _pair_entry(spec: PairSpec) -> dict[str, object]:
    increment = float(Decimal(1).scaleb(-spec.price_precision))
    return {
        "symbol": spec.symbol,
        "base": spec.base,
        "quote": spec.quote,
        "status": spec.status,
        "qty_precision": spec.qty_precision,
        "qty_increment": float(Decimal(1).scaleb(-spec.qty_precision)),
        "price_precision": spec.price_precision,
        "price_increment": increment,
        "tick_size": increment,
        "cost_precision": spec.cost_precision,
        "cost_min": Decimal(spec.cost_min),
        "qty_min": float(spec.qty_min),
        "marginable": False,
        "has_index": True,
    }


def pending_entry(order: Order) -> dict[str, object]:
    """The one full description of an order: `pending_new`, and open orders in a snapshot."""
    entry: dict[str, object] = {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side,
        "order_type": "limit",
        "order_qty": order.qty,
        "limit_price": order.limit_price,
        "limit_price_type": "static",
        "time_in_force": order.time_in_force.upper(),
        "order_userref": order.userref,
        "post_only": False,
        "reduce_only": False,
        "fee_ccy_pref": "fciq",
        "cum_qty": order.filled_qty,
        "cum_cost": order.cost,
        "timestamp": stamp(order.opened_ns),
    }
    if order.cl_ord_id:
        entry["cl_ord_id"] = order.cl_ord_id
    return entry


def execution_entry(said: Executed) -> dict[str, object]:
    """One step of an order. Only `pending_new` is complete; all others are deltas."""
    order = said.order
    if said.exec_type == "pending_new":
        head: dict[str, object] = {"exec_type": "pending_new", "order_status": "pending_new"}
        return pending_entry(order) | head
    entry: dict[str, object] = {
        "exec_type": said.exec_type,
        "order_id": order.order_id,
        "order_userref": order.userref,
        "order_status": said.exec_type,
        "timestamp": stamp(said.at_ns),
    }
    if said.exec_type == "new":
        return entry
    if said.trade is not None:
        # Even the trade that completes an order says so; a `filled` frame follows.
        return entry | trade_fields(said.trade, order) | {"order_status": "partially_filled"}
    entry |= _totals(order)
    if order.reason:
        entry["reason"] = order.reason
    return entry


def trade_fields(trade: Trade, order: Order) -> dict[str, object]:
    """What a `trade` execution adds, live or in a snapshot of past fills."""
    return {
        "exec_type": "trade",
        "order_id": order.order_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "order_type": "limit",
        "order_qty": order.qty,
        "exec_id": trade.txid,
        "trade_id": trade.trade_id,
        "last_qty": trade.qty,
        "last_price": trade.price,
        "cost": trade.cost,
        "liquidity_ind": trade.liquidity,
        "fees": [{"asset": trade.fee_asset, "qty": trade.fee}],
        "timestamp": stamp(trade.at_ns),
    } | _totals(order)


def _totals(order: Order) -> dict[str, object]:
    average = order.cost / order.filled_qty if order.filled_qty else Decimal(0)
    return {
        "cum_qty": order.filled_qty,
        "cum_cost": order.cost,
        "avg_price": average.quantize(Decimal("1E-8")),
        "fee_usd_equiv": order.fee,
    }


def balance_snapshot(balances: Mapping[str, Decimal]) -> list[dict[str, object]]:
    """The `balances` snapshot: whole balances, holds not shown."""
    return [
        {
            "asset": asset,
            "asset_class": "currency",
            "balance": balance,
            "wallets": [{"type": "spot", "id": "main", "balance": balance}],
        }
        for asset, balance in balances.items()
    ]


def balance_entries(moved: BalancesMoved) -> list[dict[str, object]]:
    """The two entries of one trade; they share `ref_id`."""
    return [
        {
            "asset": entry.asset,
            "asset_class": "currency",
            "amount": entry.amount,
            "balance": entry.balance,
            "fee": entry.fee,
            "ledger_id": entry.ledger_id,
            "ref_id": entry.ref_id,
            "timestamp": stamp(entry.at_ns),
            "type": "trade",
            "subtype": "",
            "category": "trade",
            "wallet_type": "spot",
            "wallet_id": "main",
        }
        for entry in moved.entries
    ]
