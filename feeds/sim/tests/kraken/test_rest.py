"""REST: signatures and nonces, names as REST spells them, lookups, pages and limits."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

from feeds.sim.tests.kraken.rig import KEY, LOT, Venue, account, on_virtual_time, signed

PATH = "/0/private/AddOrder"


async def reply(venue: Venue, headers: dict[str, str], body: bytes, path: str = PATH) -> Any:
    answer = await venue.transport.http(
        "POST", f"http://kraken.sim{path}", headers=headers, body=body
    )
    return json.loads(answer.body)


@on_virtual_time
async def test_the_published_signature_is_accepted_and_places_the_order() -> None:
    venue = Venue()
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    signature = (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )
    answer = await reply(venue, {"API-Key": KEY, "API-Sign": signature}, body)
    assert answer["error"] == []
    assert answer["result"]["descr"]["order"] == "buy 1.25 XBTUSD @ limit 37500"
    (order,) = venue.exchange.accounts.open_orders(KEY)
    assert answer["result"]["txid"] == [order.order_id]


@on_virtual_time
async def test_keys_signatures_and_nonces_are_checked_in_this_order() -> None:
    venue = Venue()
    path = "/0/private/BalanceEx"

    async def ask(nonce: str, **headers: str) -> list[str]:
        body = f"nonce={nonce}".encode()
        return (await reply(venue, signed(path, nonce, body) | headers, body, path))["error"]

    assert await ask("10", **{"API-Key": "nobody"}) == ["EAPI:Invalid key"]
    assert await ask("10", **{"API-Sign": "bm8="}) == ["EAPI:Invalid signature"]
    assert await ask("10") == []
    for nonce in ("10", "9", "", "-1", "x", str(1 << 64)):
        assert await ask(nonce) == ["EAPI:Invalid nonce"]
    assert await ask("11") == []
    unsigned = await reply(venue, {}, b"nonce=12", path)
    assert unsigned["error"] == ["EAPI:Invalid key"]


@on_virtual_time
async def test_json_bodies_are_signed_and_read_like_forms() -> None:
    venue = Venue()
    body = b'{"nonce": 5, "pair": "SOL/USD"}'
    path = "/0/private/TradeVolume"
    headers = signed(path, "5", body) | {"Content-Type": "application/json"}
    answer = await reply(venue, headers, body, path)
    assert list(answer["result"]["fees"]) == ["SOL/USD"]


@on_virtual_time
async def test_public_calls_answer_in_rests_own_names() -> None:
    venue = Venue()
    venue.quote()
    pairs = (await venue.get("AssetPairs"))["result"]
    assert list(pairs) == ["SOLUSD", "XXBTZUSD"]
    bitcoin = pairs["XXBTZUSD"]
    assert (bitcoin["wsname"], bitcoin["base"], bitcoin["quote"]) == ("XBT/USD", "XXBT", "ZUSD")
    assert bitcoin["fees"] == bitcoin["fees_maker"] == []
    assert list((await venue.get("AssetPairs?pair=BTC/USD"))["result"]) == ["BTC/USD"]
    assert (await venue.get("Assets"))["result"]["XXBT"]["altname"] == "XBT"
    assert (await venue.get("SystemStatus"))["result"]["status"] == "online"
    assert (await venue.get("Time"))["result"]["unixtime"] == 1_700_000_000
    depth = (await venue.get("Depth?pair=SOLUSD&count=2"))["result"]["SOLUSD"]
    assert [row[:2] for row in depth["asks"]] == [
        ["150.01", "1.00000000"],
        ["150.02", "1.00000000"],
    ]
    assert (await venue.get("Depth?pair=NOPE"))["error"] == ["EQuery:Unknown asset pair"]
    assert (await venue.get("Nothing"))["error"] == ["EGeneral:Unknown method"]


@on_virtual_time
async def test_an_order_is_found_by_its_client_id_open_and_closed() -> None:
    venue = Venue()
    venue.quote()
    order = {"pair": "SOLUSD", "type": "buy", "ordertype": "limit", "cl_ord_id": "mine"}
    placed = await venue.rest("AddOrder", **order, volume="1.5", price="150.01", timeinforce="IOC")
    await venue.rest("AddOrder", **order, volume="1", price="149.00")
    found = (await venue.rest("ClosedOrders", cl_ord_id="mine"))["result"]
    ((order_id, row),) = found["closed"].items()
    assert [order_id] == placed["result"]["txid"]
    # A partly filled IOC: decide by vol_exec, never by the word.
    assert (row["status"], row["vol"], row["vol_exec"]) == ("canceled", "1.5", "1.00000000")
    assert (row["cl_ord_id"], found["count"]) == ("mine", 1)
    (opened,) = (await venue.rest("OpenOrders", cl_ord_id="mine"))["result"]["open"].values()
    assert (opened["status"], opened["descr"]["price"]) == ("open", "149.00")
    assert (await venue.rest("ClosedOrders", cl_ord_id="other"))["result"]["count"] == 0
    queried = (await venue.rest("QueryOrders", txid=order_id))["result"]
    assert queried[order_id]["trades"] == [venue.exchange.true_trades()[0].txid]
    assert (await venue.rest("QueryOrders", txid="O1"))["error"] == ["EOrder:Unknown order"]
    assert (await venue.rest("QueryOrders"))["error"] == ["EGeneral:Invalid arguments:txid"]
    cancelled = await venue.rest("CancelOrder", cl_ord_id="mine")
    assert cancelled["result"]["count"] == 1


@on_virtual_time
async def test_balances_show_holds_and_fees_come_as_percent_text() -> None:
    venue = Venue(accounts={KEY: account(taker_fee="0.0040", maker_fee="0.0025")})
    gtc = venue.request(time_in_force="gtc", limit_price=Decimal(100), qty=Decimal(1))
    venue.exchange.place(KEY, gtc)
    balances = (await venue.rest("BalanceEx"))["result"]
    assert Decimal(balances["ZUSD"]["balance"]) == 100_000
    assert Decimal(balances["ZUSD"]["hold_trade"]) == Decimal("100.4")
    assert list(balances) == ["ZUSD", "SOL", "XXBT"]
    volume = (await venue.rest("TradeVolume", pair="SOLUSD,XBTUSD"))["result"]
    assert volume["fees"]["XXBTZUSD"]["fee"] == "0.4000"
    assert volume["fees_maker"]["SOLUSD"]["fee"] == "0.2500"
    assert "fees" not in (await venue.rest("TradeVolume"))["result"]


@on_virtual_time
async def test_trade_history_pages_newest_first_after_start() -> None:
    venue = Venue()
    for _ in range(60):
        venue.quote()
        venue.exchange.place(KEY, venue.request(qty=Decimal("0.05")))
        await asyncio.sleep(1)
    first = (await venue.rest("TradesHistory"))["result"]
    second = (await venue.rest("TradesHistory", ofs=50))["result"]
    assert (len(first["trades"]), len(second["trades"]), first["count"]) == (50, 10, 60)
    txids = [*first["trades"], *second["trades"]]
    assert txids == [trade.txid for trade in reversed(venue.exchange.true_trades())]
    oldest = second["trades"][txids[-1]]
    assert (oldest["pair"], oldest["vol"], oldest["maker"]) == ("SOLUSD", "0.05000000", False)
    later = (await venue.rest("TradesHistory", start=oldest["time"]))["result"]
    assert later["count"] == 59
    start = 1_700_000_055
    closed = (await venue.rest("ClosedOrders", start=start, without_count="true"))["result"]
    assert len(closed["closed"]) == 4
    assert "count" not in closed


@on_virtual_time
async def test_the_rest_counter_refuses_and_decays_while_orders_pass() -> None:
    venue = Venue()
    venue.exchange.quote_ladder("SOL/USD", [], [(15_001, 100 * LOT)])
    errors = [(await venue.rest("TradesHistory"))["error"] for _ in range(11)]
    assert errors == [[]] * 10 + [["EAPI:Rate limit exceeded"]]
    fields = {"pair": "SOLUSD", "type": "buy", "ordertype": "limit", "timeinforce": "ioc"}
    placed = await venue.rest("AddOrder", **fields, volume="1", price="150.01")
    assert placed["error"] == []
    await asyncio.sleep(2)
    assert (await venue.rest("TradesHistory"))["error"] == []


@on_virtual_time
async def test_the_dead_mans_switch_by_rest() -> None:
    venue = Venue()
    gtc = venue.request(time_in_force="gtc", limit_price=Decimal(100))
    venue.exchange.place(KEY, gtc)
    armed = await venue.rest("CancelAllOrdersAfter", timeout=10)
    assert armed["result"]["currentTime"] < armed["result"]["triggerTime"]
    await asyncio.sleep(9)
    assert len(venue.exchange.accounts.open_orders(KEY)) == 1
    await asyncio.sleep(2)
    assert venue.exchange.accounts.open_orders(KEY) == []
    wrong = await venue.rest("CancelAllOrdersAfter", timeout="soon")
    assert wrong["error"] == ["EGeneral:Invalid arguments:timeout"]
