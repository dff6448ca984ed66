"""REST records over real HTTP: exact, whole, or a failed query; never half an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from arbsite.clock import ManualClock, SystemClock
from arbsite.errors import QueryFailed
from feeds.venues.kraken.account import KrakenAccount
from feeds.venues.kraken.auth import Credentials
from feeds.venues.kraken.limits import PRO, Tier
from feeds.venues.kraken.rest import KrakenRest, VenueRefused
from feeds.venues.kraken.tests.scripted import ScriptedVenue, Socket, serving
from feeds.venues.kraken.tests.test_auth import SECRET
from feeds.venues.sockets import SocketTransport

SECOND = 1_000_000_000
SENT_NS = 1_688_667_796 * SECOND
CLIENT_ID = "6d1f3c5e-4f0b-5d43-9a52-0f8e6f3b7a11"

ASSETS = {
    "XXBT": {"altname": "XBT"}, "ZUSD": {"altname": "USD"}, "SOL": {"altname": "SOL"},
    "XXDG": {"altname": "XDG"}, "USDC": {"altname": "USDC"}, "SOL.F": {"altname": "SOL.F"},
}  # fmt: skip
PAIRS = {
    "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "fees": [], "fees_maker": []},
    "SOLUSD": {"altname": "SOLUSD", "wsname": "SOL/USD"},
    "XDGUSD": {"altname": "XDGUSD", "wsname": "XDG/USD"},
    "DARK": {"altname": "DARK"},
}


def order_record(**changes: Any) -> dict[str, Any]:
    record = {
        "status": "canceled", "cl_ord_id": CLIENT_ID, "opentm": 1688667796.1, "vol": "1.25000000",
        "descr": {"pair": "SOLUSD", "type": "buy", "ordertype": "limit", "price": "150.25"},
        "vol_exec": "0.50000000", "cost": "75.00000", "fee": "0.07500", "price": "150.00",
        "reason": "Immediate or cancel", "trades": ["TAAAAA-BBBBB-CCCCCC"],
    }  # fmt: skip
    return record | changes


def trade_record(index: int) -> tuple[str, dict[str, Any]]:
    return f"T{index:05d}", {
        "ordertxid": "OAAAAA-BBBBB-CCCCCC", "pair": "XXBTZUSD", "time": 1688667797.8802 + index,
        "type": "sell", "ordertype": "limit", "price": "30010.00000", "cost": "600.20000",
        "fee": "0.00000", "vol": "0.02000000", "maker": False, "trade_id": index,
    }  # fmt: skip


async def deaf(socket: Socket, frame: dict[str, Any]) -> None:
    """No WebSocket in these tests."""


@pytest.fixture
async def venue() -> AsyncIterator[ScriptedVenue]:
    async with serving(ScriptedVenue(deaf)) as venue:
        venue.endpoints = {"Assets": ASSETS, "AssetPairs": PAIRS}
        yield venue


@pytest.fixture
async def transport() -> AsyncIterator[SocketTransport]:
    transport = SocketTransport()
    yield transport
    await transport.close()


@pytest.fixture
def account(venue: ScriptedVenue, transport: SocketTransport) -> KrakenAccount:
    return account_of(venue, transport)


def account_of(venue: ScriptedVenue, transport: SocketTransport, **options: Any) -> KrakenAccount:
    credentials = Credentials("the-key", SECRET)
    options = {"tier": PRO} | options
    rest = KrakenRest(transport, venue.rest_url, credentials, SystemClock(), **options)
    return KrakenAccount(rest, SystemClock())


async def test_requests_are_signed_over_exactly_the_bytes_sent(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["GetWebSocketsToken"] = {"token": "TOKEN", "expires": 900}
    assert await account.websocket_token() == "TOKEN"
    ((_, params, headers),) = venue.rest_calls
    expected = Credentials("the-key", SECRET).sign(
        "/0/private/GetWebSocketsToken", params["nonce"], headers["body"].encode()
    )
    assert headers["API-Key"] == "the-key"
    assert headers["API-Sign"] == expected
    assert headers["body"] == f"nonce={params['nonce']}"


async def test_concurrent_calls_arrive_in_nonce_order(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["GetWebSocketsToken"] = {"token": "TOKEN"}
    await asyncio.gather(*(account.websocket_token() for _ in range(8)))
    nonces = [int(params["nonce"]) for params in venue.calls_of("GetWebSocketsToken")]
    assert nonces == sorted(set(nonces))
    assert len(nonces) == 8


async def test_partly_filled_ioc_is_found_by_its_client_id(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["OpenOrders"] = {"open": {}}
    venue.endpoints["ClosedOrders"] = {
        "closed": {
            "OAAAAA-BBBBB-CCCCCC": order_record(cl_ord_id=CLIENT_ID.replace("-", "").upper())
        },
        "count": 1,
    }
    (state,) = await account.find_orders(CLIENT_ID, since_ns=SENT_NS)
    assert (state.order_id, state.symbol, state.status) == (
        "OAAAAA-BBBBB-CCCCCC", "SOL/USD", "canceled",
    )  # fmt: skip
    assert (state.qty, state.filled_qty, state.cost, state.fee) == (
        Decimal("1.25"), Decimal("0.5"), Decimal(75), Decimal("0.075"),
    )  # fmt: skip
    assert state.trade_ids == ("TAAAAA-BBBBB-CCCCCC",)
    assert [name for name, _, _ in venue.rest_calls][:2] == ["OpenOrders", "ClosedOrders"]
    (query,) = venue.calls_of("ClosedOrders")
    assert query["cl_ord_id"] == CLIENT_ID
    assert query["start"] == str(1_688_667_796 - 60)


async def test_an_order_that_closes_between_the_reads_counts_as_closed(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["OpenOrders"] = {"open": {"O1": order_record(status="open", vol_exec="0")}}
    venue.endpoints["ClosedOrders"] = {
        "closed": {"O1": order_record(status="closed", vol_exec="1.25")}, "count": 1,
    }  # fmt: skip
    (state,) = await account.find_orders(CLIENT_ID, since_ns=SENT_NS)
    assert (state.status, state.filled_qty) == ("filled", Decimal("1.25"))


async def test_a_filter_the_venue_ignored_is_applied_here_on_every_page(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    foreign = {f"O{i}": order_record(cl_ord_id="another") for i in range(50)}

    def closed(params: dict[str, str]) -> dict[str, Any]:
        page = foreign if params["ofs"] == "0" else {"OURS": order_record()}
        return {"closed": page, "count": 51}

    venue.endpoints |= {"OpenOrders": {"open": {}}, "ClosedOrders": closed}
    (state,) = await account.find_orders(CLIENT_ID, since_ns=SENT_NS)
    assert state.order_id == "OURS"
    assert [call["ofs"] for call in venue.calls_of("ClosedOrders")] == ["0", "50"]


@pytest.mark.parametrize(
    "record",
    [
        order_record(cl_ord_id=None),
        order_record(status="sleeping"),
        order_record(vol_exec="NaN"),
        order_record(vol_exec="-1"),
        order_record(vol_exec="1e309"),
        order_record(descr={"pair": "NOWHERE", "type": "buy"}),
        {"status": "closed"},
    ],
)
async def test_a_doubtful_record_fails_the_query(
    record: dict[str, Any], venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints |= {
        "OpenOrders": {"open": {}}, "ClosedOrders": {"closed": {"O1": record}, "count": 1},
    }  # fmt: skip
    with pytest.raises(QueryFailed):
        await account.find_orders(CLIENT_ID, since_ns=SENT_NS)


@pytest.mark.parametrize(
    "answer",
    [
        "EService:Unavailable",
        "EAPI:Invalid nonce",
        web.Response(status=502, text="<html>Bad gateway</html>"),
        web.Response(status=200, text="<html>Checking your browser</html>"),
        web.Response(status=429, text="{}"),
        web.Response(status=200, body=b'{"error":[],"result":'),
        web.Response(status=200, body=b"\xff\xfe"),
        web.Response(status=200, body=b'{"result":{"open":{}}}'),
        web.Response(status=200, body=b'{"error":[],"result":' + b"[" * 100_000),
        web.Response(status=302, headers={"Location": "/0/public/Assets"}),
    ],
    ids=lambda answer: answer if isinstance(answer, str) else f"http-{answer.status}",
)
async def test_no_answer_is_not_an_empty_answer(
    answer: Any, venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["OpenOrders"] = answer
    with pytest.raises(QueryFailed):
        await account.find_orders(CLIENT_ID, since_ns=SENT_NS)


async def test_unreachable_venue_is_a_failed_query(transport: SocketTransport) -> None:
    nowhere = ScriptedVenue(deaf)
    nowhere.port = 9
    with pytest.raises(QueryFailed):
        await account_of(nowhere, transport).balances()


async def test_trades_are_read_from_every_page_in_v2_names(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    newest_first = [trade_record(index) for index in reversed(range(120))]

    def history(params: dict[str, str]) -> dict[str, Any]:
        start = int(params["ofs"])
        return {"trades": dict(newest_first[start : start + 50]), "count": 120}

    venue.endpoints["TradesHistory"] = history
    fills = await account.fills(since_ns=1_688_667_797_880_200_000 + 20 * SECOND)
    assert [fill.fill_id for fill in fills] == [f"T{index:05d}" for index in range(20, 120)]
    fill = fills[0]
    assert (fill.symbol, fill.fee_asset, fill.side, fill.source, fill.cl_ord_id) == (
        "BTC/USD", "USD", "sell", "record", None,
    )  # fmt: skip
    assert (fill.qty, fill.price, fill.cost) == (
        Decimal("0.02"), Decimal(30010), Decimal("600.2"),
    )  # fmt: skip
    assert fill.venue_at_ns == 1_688_667_817_880_200_000
    assert [call["ofs"] for call in venue.calls_of("TradesHistory")] == ["0", "50", "100"]


async def test_a_trade_booked_while_we_page_is_repeated_not_skipped(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    newest_first = [trade_record(index) for index in reversed(range(60))]

    def history(params: dict[str, str]) -> dict[str, Any]:
        start = int(params["ofs"])
        page = {"trades": dict(newest_first[start : start + 50]), "count": len(newest_first)}
        newest_first.insert(0, trade_record(100 + start))
        return page

    venue.endpoints["TradesHistory"] = history
    fills = await account.fills(since_ns=0)
    assert {f"T{index:05d}" for index in range(60)} <= {fill.fill_id for fill in fills}


async def test_available_balances_in_v2_names(venue: ScriptedVenue, account: KrakenAccount) -> None:
    venue.endpoints["BalanceEx"] = {
        "ZUSD": {"balance": "1000.5000", "hold_trade": "100.2500"},
        "XXBT": {"balance": "0.1000000000", "hold_trade": "0"},
        "XXDG": {"balance": "7"},
        "SOL": {"balance": "5.0000000000", "hold_trade": "1.0000000000"},
        "SOL.F": {"balance": "2.5000000000", "hold_trade": "0"},
        "SOL.S": {"balance": "99", "hold_trade": "0"},
        "XNEW": {"balance": "3", "hold_trade": "0"},
    }
    assert await account.balances() == {
        "USD": Decimal("900.25"), "BTC": Decimal("0.1"), "DOGE": Decimal(7),
        "SOL": Decimal("6.5"), "XNEW": Decimal(3),
    }  # fmt: skip


async def test_taker_fees_come_from_the_account_as_fractions(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["TradeVolume"] = {
        "currency": "ZUSD", "volume": "200709587.4223",
        "fees": {"XXBTZUSD": {"fee": "0.2600"}, "SOL/USD": {"fee": "0.1000"}},
        "fees_maker": {},
    }  # fmt: skip
    fees = await account.taker_fees(["BTC/USD", "SOL/USD"])
    assert fees == {"BTC/USD": Decimal("0.0026"), "SOL/USD": Decimal("0.001")}
    with pytest.raises(QueryFailed, match="DOGE/USD"):
        await account.taker_fees(["DOGE/USD"])
    assert await account.taker_fees([]) == {}


async def test_missing_fee_table_fails_rather_than_trading_for_free(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["TradeVolume"] = {"currency": "ZUSD", "volume": "0"}
    with pytest.raises(QueryFailed):
        await account.taker_fees(["SOL/USD"])


async def test_dead_man_switch_and_server_time(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["CancelAllOrdersAfter"] = {"currentTime": "x", "triggerTime": "y"}
    venue.endpoints["Time"] = {"unixtime": 1688669448, "rfc1123": "Thu, 06 Jul 23 18:50:48 +0000"}
    await account.cancel_all_after(60)
    assert venue.calls_of("CancelAllOrdersAfter")[0]["timeout"] == "60"
    assert await account.server_time_ns() == 1_688_669_448 * SECOND
    venue.endpoints["CancelAllOrdersAfter"] = "EAPI:Invalid key"
    with pytest.raises(VenueRefused) as refused:
        await account.cancel_all_after(0)
    assert refused.value.error == "EAPI:Invalid key"


async def test_our_own_budget_stops_us_before_the_venue_does(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    venue.endpoints["GetWebSocketsToken"] = {"token": "TOKEN"}
    clock = ManualClock()
    tight = Tier("tight", rest_maximum=2, rest_decay=0.5, order_maximum=1, order_decay=1)
    rest = KrakenRest(
        transport, venue.rest_url, Credentials("k", SECRET), clock, tier=tight, longest_wait_s=1.0
    )
    account = KrakenAccount(rest, clock)
    await account.websocket_token()
    await account.websocket_token()
    with pytest.raises(QueryFailed, match="rate budget"):
        await account.websocket_token()
    clock.advance_ns(2 * SECOND)
    await account.websocket_token()
    assert len(venue.rest_calls) == 3


async def test_a_counter_that_another_has_filled_is_waited_for(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    """An engine that died has spent what its heir cannot know, until the venue says so."""
    clock = ManualClock()
    tight = Tier("tight", rest_maximum=20, rest_decay=0.5, order_maximum=1, order_decay=1)
    rest = KrakenRest(
        transport, venue.rest_url, Credentials("k", SECRET), clock, tier=tight, longest_wait_s=1.0
    )
    account = KrakenAccount(rest, clock)
    venue.endpoints["GetWebSocketsToken"] = "EAPI:Rate limit exceeded"
    with pytest.raises(VenueRefused):
        await account.websocket_token()
    venue.endpoints["GetWebSocketsToken"] = {"token": "TOKEN"}
    with pytest.raises(QueryFailed, match="rate budget"):
        await account.websocket_token()
    assert len(venue.rest_calls) == 1
    clock.advance_ns(2 * SECOND)
    assert await account.websocket_token() == "TOKEN"


OTHER_ID = "0c9a1f5e-4f0b-5d43-9a52-0f8e6f3b7a22"


async def test_searches_that_wait_together_share_one_read_of_the_venue(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints |= {
        "OpenOrders": {"open": {}},
        "ClosedOrders": {
            "closed": {
                "O1": order_record(), "O2": order_record(cl_ord_id=OTHER_ID),
                # Of somebody else, and no reason to doubt what is ours.
                "O3": order_record(cl_ord_id="by-hand", status="sleeping"),
            },
            "count": 3,
        },
    }  # fmt: skip
    asked = [(CLIENT_ID, SENT_NS), (OTHER_ID, SENT_NS - 30 * SECOND), ("never-sent", SENT_NS)]
    found = await asyncio.gather(*(account.find_orders(i, since_ns=ns) for i, ns in asked))
    assert [[state.order_id for state in states] for states in found] == [["O1"], ["O2"], []]
    (opened,) = venue.calls_of("OpenOrders")
    (closed,) = venue.calls_of("ClosedOrders")
    assert "cl_ord_id" not in opened
    assert "cl_ord_id" not in closed
    assert closed["start"] == str(1_688_667_796 - 90)


async def test_a_shared_read_with_a_nameless_record_leaves_it_to_the_venues_filter(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    def closed(params: dict[str, str]) -> dict[str, Any]:
        records = {"O1": order_record(), "O9": order_record(cl_ord_id=None)}
        named = {"O1": order_record()} if params.get("cl_ord_id") == CLIENT_ID else {}
        records = named if "cl_ord_id" in params else records
        return {"closed": records, "count": len(records)}

    venue.endpoints |= {"OpenOrders": {"open": {}}, "ClosedOrders": closed}
    asked = (account.find_orders(each, since_ns=SENT_NS) for each in (CLIENT_ID, OTHER_ID))
    mine, other = await asyncio.gather(*asked)
    assert ([state.order_id for state in mine], other) == (["O1"], [])
    assert [call.get("cl_ord_id") for call in venue.calls_of("ClosedOrders")] == [
        None, CLIENT_ID, OTHER_ID,
    ]  # fmt: skip


async def test_a_shared_read_that_fails_is_no_evidence_for_anybody(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints |= {"OpenOrders": {"open": {}}, "ClosedOrders": "EService:Unavailable"}
    asked = (account.find_orders(each, since_ns=SENT_NS) for each in (CLIENT_ID, OTHER_ID))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [QueryFailed, QueryFailed]


async def test_a_search_outlives_the_one_that_took_it_along(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints |= {
        "OpenOrders": {"open": {}}, "ClosedOrders": {"closed": {"O1": order_record()}, "count": 1},
    }  # fmt: skip
    leader = asyncio.create_task(account.find_orders(OTHER_ID, since_ns=SENT_NS))
    follower = asyncio.create_task(account.find_orders(CLIENT_ID, since_ns=SENT_NS))
    await venue.until(lambda: bool(venue.calls_of("OpenOrders")))
    leader.cancel()
    (state,) = await follower
    assert state.order_id == "O1"


async def test_of_an_order_that_is_over_only_closed_ones_are_read(
    venue: ScriptedVenue, account: KrakenAccount
) -> None:
    venue.endpoints["ClosedOrders"] = {"closed": {"O1": order_record()}, "count": 1}
    (state,) = await account.find_orders(CLIENT_ID, since_ns=SENT_NS, is_over=True)
    assert (state.order_id, state.is_terminal) == ("O1", True)
    assert not venue.calls_of("OpenOrders")


async def test_what_refreshes_leaves_the_reserve_to_proofs_but_does_not_starve(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    tier = Tier("small", rest_maximum=6, rest_decay=0.01, order_maximum=60, order_decay=1)
    account = account_of(venue, transport, tier=tier, longest_wait_s=0.5)
    venue.endpoints |= {
        "BalanceEx": {}, "OpenOrders": {"open": {}}, "ClosedOrders": {"closed": {}, "count": 0},
    }  # fmt: skip
    # The first reads tell something new; after them half of the counter is spent.
    await account.balances()
    await account.find_orders(CLIENT_ID, since_ns=SENT_NS)
    refreshing = asyncio.create_task(account.balances())
    await asyncio.sleep(0.1)
    await account.find_orders(CLIENT_ID, since_ns=SENT_NS)
    assert len(venue.calls_of("BalanceEx")) == 1
    await refreshing
    assert [name for name, _, _ in venue.rest_calls if name != "Assets"][-1] == "BalanceEx"


async def test_a_first_read_that_proves_nothing_gives_way_as_well(
    venue: ScriptedVenue, transport: SocketTransport
) -> None:
    tier = Tier("tiny", rest_maximum=1, rest_decay=5, order_maximum=60, order_decay=1)
    account = account_of(venue, transport, tier=tier)
    venue.endpoints |= {
        "OpenOrders": {"open": {}}, "ClosedOrders": {"closed": {}, "count": 0},
        "TradeVolume": {"fees": {"SOLUSD": {"fee": "0.1"}}},
    }  # fmt: skip
    searching = asyncio.create_task(account.find_orders(CLIENT_ID, since_ns=SENT_NS))
    # The second read of the search waits for the counter; the fees were asked for before it.
    await venue.until(lambda: bool(venue.calls_of("OpenOrders")))
    await account.taker_fees(["SOL/USD"])
    assert searching.done()
    private = [name for name, _, _ in venue.rest_calls if not name.startswith("Asset")]
    assert private == ["OpenOrders", "ClosedOrders", "TradeVolume"]
