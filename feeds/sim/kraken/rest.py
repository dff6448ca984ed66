"""REST of the simulated Kraken: authentication, limits, and every call's result.

Answers are HTTP 200 with `{"error": […], "result": …}`; all numbers are strings, names are
REST's own (`ZUSD`, `XXBTZUSD`). Sync: the server around it adds latency and faults.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from arbsite.units import text_from_int
from feeds.sim.hosting import Answer
from feeds.sim.kraken import rest_rows as rows
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.frames import stamp
from feeds.sim.kraken.orders import OrderDesk, OrderFields
from feeds.sim.kraken.private import TOKEN_LIFE_S, Tokens
from feeds.sim.kraken.records import Order, OrderRefused, PairSpec, rest_asset_id
from feeds.sim.kraken.session import Surroundings

PAGE = 50
Params = Mapping[str, str]
PublicCall = Callable[[Params], object]
PrivateCall = Callable[[str, Params], object]


class KrakenRest:
    """The REST calls. A refusal travels as OrderRefused until it becomes `error`."""

    def __init__(
        self, exchange: KrakenExchange, desk: OrderDesk, tokens: Tokens, around: Surroundings
    ) -> None:
        self._exchange = exchange
        self._accounts = exchange.accounts
        self._desk = desk
        self._tokens = tokens
        self._around = around
        self._public: dict[str, PublicCall] = {
            "Time": self._time,
            "SystemStatus": self._system_status,
            "Assets": self._assets,
            "AssetPairs": self._asset_pairs,
            "Depth": self._depth,
        }
        # (call, cost on the key's counter); orders and cancels have their own limits.
        self._private: dict[str, tuple[PrivateCall, float]] = {
            "GetWebSocketsToken": (self._token, 1),
            "BalanceEx": (self._balance_ex, 1),
            "TradeVolume": (self._trade_volume, 1),
            "OpenOrders": (self._open_orders, 1),
            "ClosedOrders": (self._closed_orders, 1),
            "QueryOrders": (self._query_orders, 1),
            "TradesHistory": (self._trades_history, 2),
            "AddOrder": (self._add_order, 0),
            "CancelOrder": (self._cancel_order, 0),
            "CancelAllOrdersAfter": (self._cancel_all_after, 1),
            "WithdrawMethods": (self._withdraw_methods, 1),
        }

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call. ConnectionError when a fault swallows the answer."""
        bare, _, query = path.partition("?")
        try:
            result = self._dispatch(method, bare, query, headers, body)
        except OrderRefused as refused:
            return _json({"error": [refused.error]})
        return _json({"error": [], "result": result})

    def _dispatch(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> object:
        _, version, kind, name = ([*path.split("/", 3), "", "", ""])[:4]
        if version == "0" and kind == "public" and name in self._public and method == "GET":
            return self._public[name](dict(parse_qsl(query)))
        if version != "0" or kind != "private" or name not in self._private:
            raise OrderRefused("EGeneral:Unknown method")
        if method != "POST":
            raise OrderRefused("EGeneral:Invalid arguments")
        params = _params(headers, body)
        account = self._authenticate(path, headers, params, body)
        call, cost = self._private[name]
        limits = self._accounts.specs[account].limits
        key = headers["api-key"]
        is_struck = self._around.faults.strikes("kraken.rate_limited_p", self._around.rng)
        if cost and (is_struck or not self._exchange.rates.call_rest(key, cost, limits)):
            raise OrderRefused("EAPI:Rate limit exceeded")
        return call(account, params)

    def _authenticate(
        self, path: str, headers: Mapping[str, str], params: Params, body: bytes
    ) -> str:
        """Check key, signature and nonce, in this order; return the account."""
        key = headers.get("api-key", "")
        account = self._accounts.owner(key)
        if account is None or self._around.faults.is_on("kraken.key_revoked"):
            raise OrderRefused("EAPI:Invalid key")
        nonce = params.get("nonce", "")
        digest = hashlib.sha256(nonce.encode() + body).digest()
        secret = base64.b64decode(self._accounts.secret(key))
        mac = hmac.new(secret, path.encode() + digest, hashlib.sha512)
        signature = base64.b64encode(mac.digest()).decode()
        if not hmac.compare_digest(signature.encode(), headers.get("api-sign", "").encode()):
            raise OrderRefused("EAPI:Invalid signature")
        is_number = nonce.isascii() and nonce.isdigit() and len(nonce) <= 20
        is_struck = self._around.faults.strikes("kraken.invalid_nonce_p", self._around.rng)
        if is_struck or not is_number or not self._accounts.accept_nonce(key, int(nonce)):
            raise OrderRefused("EAPI:Invalid nonce")
        return account

    def _pair(self, name: str) -> PairSpec:
        """Resolve any spelling: `SOL/USD`, `SOLUSD`, `XXBTZUSD`, `XBT/USD`."""
        for spec in self._exchange.pairs.values():
            if name in (spec.symbol, spec.altname, spec.rest_key, rows.wsname(spec)):
                return spec
        raise OrderRefused("EQuery:Unknown asset pair")

    def _named_pairs(self, params: Params) -> list[tuple[str, PairSpec]]:
        """(key of the answer, pair): a slashed name is echoed, others get REST's key."""
        found = []
        for name in params.get("pair", "").split(","):
            if name:
                spec = self._pair(name)
                found.append((name if "/" in name else spec.rest_key, spec))
        return found

    def _time(self, _: Params) -> object:
        off_s = self._around.faults.number("kraken.clock_off_s")
        now_ns = self._around.clock.now_ns() + round(off_s * 1e9)
        return {"unixtime": now_ns // 1_000_000_000, "rfc1123": stamp(now_ns)}

    def _system_status(self, _: Params) -> object:
        now_ns = self._around.clock.now_ns()
        return {"status": self._exchange.system_status, "timestamp": stamp(now_ns)[:19] + "Z"}

    def _assets(self, _: Params) -> object:
        pairs = self._exchange.pairs.values()
        names = dict.fromkeys(name for spec in pairs for name in (spec.base, spec.quote))
        return {rest_asset_id(name): rows.asset_row(name) for name in names}

    def _asset_pairs(self, params: Params) -> object:
        named = self._named_pairs(params) or [
            (spec.rest_key, spec) for spec in self._exchange.pairs.values()
        ]
        return {key: rows.pair_row(spec) for key, spec in named}

    def _depth(self, params: Params) -> object:
        named = self._named_pairs(params)
        count = _whole(params, "count", 100)
        at_s = self._around.clock.now_ns() // 1_000_000_000
        result = {}
        for key, spec in named[:1]:
            bids, asks = (
                [
                    [
                        text_from_int(ticks, spec.price_precision),
                        text_from_int(lots, spec.qty_precision),
                        at_s,
                    ]
                    for ticks, lots in levels[:count]
                ]
                for levels in self._exchange.levels(spec.symbol)
            )
            result[key] = {"asks": asks, "bids": bids}
        if not result:
            raise OrderRefused("EGeneral:Invalid arguments")
        return result

    def _token(self, account: str, _: Params) -> object:
        return {"token": self._tokens.issue(account), "expires": TOKEN_LIFE_S}

    def _balance_ex(self, account: str, _: Params) -> object:
        held = self._accounts.holds(account)
        return {
            rest_asset_id(asset): {
                "balance": format(balance, "f"),
                "hold_trade": format(held.get(asset, 0), "f"),
            }
            for asset, balance in self._accounts.balances(account).items()
        }

    def _trade_volume(self, account: str, params: Params) -> object:
        spec = self._accounts.specs[account]
        result: dict[str, object] = {"currency": "ZUSD", "volume": "0.0000"}
        if named := self._named_pairs(params):
            taker, maker = rows.fee_row(spec.taker_fee), rows.fee_row(spec.maker_fee)
            result["fees"] = {key: taker for key, _ in named}
            result["fees_maker"] = {key: maker for key, _ in named}
        return result

    def _withdraw_methods(self, account: str, params: Params) -> object:
        """Refused: the desk's keys trade and do not withdraw, as they should."""
        if not self._around.faults.is_on("kraken.key_may_withdraw"):
            raise OrderRefused("EGeneral:Permission denied")
        return []

    def _open_orders(self, account: str, params: Params) -> object:
        chosen = self._chosen(account, params, self._accounts.open_orders(account))
        return {"open": {order.order_id: rows.order_row(self._rest(order)) for order in chosen}}

    def _closed_orders(self, account: str, params: Params) -> object:
        mine = [o for o in self._accounts.orders.values() if o.account == account]
        closed = [o for o in mine if not o.is_open and o.closed_ns <= self._visible_ns()]
        chosen = self._chosen(account, params, closed)
        by = params.get("closetime", "both")
        kept = [
            order
            for order in chosen
            if _is_between(params, [order.opened_ns] * (by != "close"))
            or _is_between(params, [order.closed_ns] * (by != "open"))
        ]
        kept.sort(key=lambda order: order.closed_ns, reverse=True)
        offset = _whole(params, "ofs", 0)
        page = kept[offset : offset + PAGE]
        result: dict[str, object] = {
            "closed": {order.order_id: rows.order_row(self._rest(order)) for order in page}
        }
        if params.get("without_count") != "true":
            result["count"] = len(kept)
        return result

    def _query_orders(self, account: str, params: Params) -> object:
        ids = params.get("txid", "").split(",")
        if ids == [""] or len(ids) > PAGE:
            raise OrderRefused("EGeneral:Invalid arguments:txid")
        found = {}
        for order_id in ids:
            order = self._accounts.orders.get(order_id)
            if order is None or order.account != account:
                raise OrderRefused("EOrder:Unknown order")
            found[order_id] = rows.order_row(self._rest(order))
        return found

    def _trades_history(self, account: str, params: Params) -> object:
        kept = [
            trade
            for trade in self._exchange.true_trades(account)
            if trade.at_ns <= self._visible_ns() and _is_between(params, [trade.at_ns])
        ]
        kept.reverse()
        offset = _whole(params, "ofs", 0)
        page = kept[offset : offset + PAGE]
        pairs = self._exchange.pairs
        return {
            "trades": {trade.txid: rows.trade_row(trade, pairs[trade.symbol]) for trade in page},
            "count": len(kept),
        }

    def _add_order(self, account: str, params: Params) -> object:
        fields = OrderFields(
            symbol=self._pair(params.get("pair", "")).symbol,
            side=params.get("type"),
            order_type=params.get("ordertype"),
            qty=params.get("volume"),
            limit_price=params.get("price"),
            time_in_force=params.get("timeinforce", ""),
            deadline=params.get("deadline", ""),
            cl_ord_id=params.get("cl_ord_id", ""),
            userref=params.get("userref", 0),
            is_post_only="post" in params.get("oflags", "").split(","),
            is_validate=params.get("validate", "false"),
        )
        placement = self._desk.submit(account, fields)
        if placement.is_ack_lost:
            raise ConnectionResetError("the answer is lost")
        text = (
            f"{fields.side} {fields.qty} {self._pair(fields.symbol).altname}"
            f" @ limit {fields.limit_price}"
        )
        described: dict[str, object] = {"descr": {"order": text}}
        if placement.order is not None:
            described["txid"] = [placement.order.order_id]
        return described

    def _cancel_order(self, account: str, params: Params) -> object:
        ids = [params["txid"]] if "txid" in params else []
        client_ids = [params["cl_ord_id"]] if "cl_ord_id" in params else []
        orders = self._desk.find(account, ids, client_ids)
        return {"count": self._desk.cancel(account, orders)}

    def _cancel_all_after(self, account: str, params: Params) -> object:
        trigger_ns = self._desk.arm_dead_man(account, params.get("timeout"))
        now = stamp(self._around.clock.now_ns())
        return {"currentTime": now, "triggerTime": stamp(trigger_ns) if trigger_ns else "0"}

    def _rest(self, order: Order) -> tuple[Order, PairSpec]:
        return order, self._exchange.pairs[order.symbol]

    def _visible_ns(self) -> int:
        lag_s = self._around.faults.number("kraken.visibility_lag_s")
        return self._around.clock.now_ns() - round(lag_s * 1e9)

    def _chosen(self, account: str, params: Params, orders: list[Order]) -> list[Order]:
        """Keep what `cl_ord_id` or `userref` ask for."""
        if "cl_ord_id" in params:
            known = {o.order_id for o in self._accounts.by_client_id(account, params["cl_ord_id"])}
            orders = [order for order in orders if order.order_id in known]
        if "userref" in params:
            reference = _whole(params, "userref", 0)
            orders = [order for order in orders if order.userref == reference]
        return orders


def _json(value: object) -> Answer:
    return 200, json.dumps(value).encode(), "application/json"


def _params(headers: Mapping[str, str], body: bytes) -> Params:
    """Decode a urlencoded or JSON body into text values."""
    try:
        text = body.decode()
        if "json" not in headers.get("content-type", ""):
            return dict(parse_qsl(text))
        fields = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise OrderRefused("EGeneral:Invalid arguments") from None
    if not isinstance(fields, dict):
        raise OrderRefused("EGeneral:Invalid arguments")
    return {
        key: ("true" if value else "false") if isinstance(value, bool) else str(value)
        for key, value in fields.items()
    }


def _whole(params: Params, name: str, default: int) -> int:
    text = params.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise OrderRefused(f"EGeneral:Invalid arguments:{name}")
    return int(text)


def _is_between(params: Params, times_ns: list[int]) -> bool:
    """Whether a time lies after `start` (exclusive) and up to `end`, in Unix seconds."""
    try:
        start_s, end_s = float(params.get("start", "-inf")), float(params.get("end", "inf"))
    except ValueError:
        raise OrderRefused("EGeneral:Invalid arguments") from None
    return any(start_s < at_ns / 1e9 <= end_s for at_ns in times_ns)
