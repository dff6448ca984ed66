"""The codec on the frames that were recorded or documented, and on ruined ones."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from arbsite.errors import FeedCorrupt
from feeds.market.book import RawLevel
from feeds.venues.base import CexOrder
from feeds.venues.kraken import requests
from feeds.venues.kraken.messages import (
    Balance,
    BalanceFrame,
    BookFrame,
    ExecutionFrame,
    Heartbeat,
    InstrumentFrame,
    OtherFrame,
    Reply,
    StatusFrame,
    Ticker,
    TickerFrame,
)
from feeds.venues.kraken.tests import scripted
from feeds.venues.kraken.wire import decode_frame

BOOK = (
    '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":62802.5,'
    '"qty":0.02987767}],"asks":[],"checksum":975661613,"timestamp":"2026-08-16T23:37:04.316445Z"}]}'
)
BOOK_REORDERED = (
    '{"type":"snapshot","data":[{"checksum":975661613,"symbol":"BTC/USD","asks":[],"bids":'
    '[{"qty":0.02987767,"price":62802.5}],"timestamp":"2026-08-16T23:37:04.316445Z"}],'
    '"channel":"book"}'
)
BOOK_ACK = (
    '{"method":"subscribe","result":{"channel":"book","depth":25,"snapshot":true,'
    '"symbol":"BTC/USD"},"success":true,"time_in":"2026-08-16T23:37:04.334090Z",'
    '"time_out":"2026-08-16T23:37:04.334120Z"}'
)
TICKER = (
    '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":83744.2,'
    '"bid_qty":0.56251979,"ask":83744.3,"ask_qty":1.0,"last":83744.3,"volume":1.5}]}'
)
TRADE = (
    '{"channel":"executions","type":"update","data":[{"order_id":"OK4GJX-KSTLS-7DZZO5",'
    '"exec_id":"TGBB7L-HT5LX-J3BZ4A","exec_type":"trade","trade_id":365573,"symbol":"BTC/USD",'
    '"side":"sell","last_qty":0.005,"last_price":26599.9,"cost":132.9995,"liquidity_ind":"t",'
    '"order_status":"partially_filled","cum_qty":0.005,"cum_cost":132.9995,'
    '"fees":[{"asset":"USD","qty":0.3458}],"timestamp":"2023-09-22T10:33:05.709982Z"}],'
    '"sequence":10}'
)
BALANCES = (
    '{"channel":"balances","type":"snapshot","data":[{"asset":"SOL","asset_class":"currency",'
    '"balance":5.5,"wallets":[{"type":"spot","id":"main","balance":4.25},{"type":"earn",'
    '"id":"flex","balance":1.25}]},{"asset":"USD","asset_class":"currency","balance":10}],'
    '"sequence":1}'
)
GOOD_FRAMES = [
    BOOK,
    BOOK_REORDERED,
    BOOK_ACK,
    TICKER,
    TRADE,
    BALANCES,
    scripted.STATUS,
    scripted.HEARTBEAT,
    scripted.pong_text(101),
    scripted.instrument_text(scripted.pair_text("SOL/USD", 2, 8)),
]


@pytest.mark.parametrize("text", [BOOK, BOOK_REORDERED])
def test_book_tokens_stay_the_bytes_they_were(text: str) -> None:
    frame = decode_frame(text.encode())
    assert isinstance(frame, BookFrame)
    (entry,) = frame.data
    assert (entry.symbol, entry.checksum, frame.type) == ("BTC/USD", 975661613, "snapshot")
    assert entry.bids == [RawLevel(b"62802.5", b"0.02987767")]
    assert entry.timestamp == datetime(2026, 8, 16, 23, 37, 4, 316_445, tzinfo=UTC)


def test_old_frames_without_a_timestamp_are_read(shared_data: Path) -> None:
    first = (shared_data / "kraken/book_btcusd_d10_20230730.ndjson").read_bytes().split(b"\n")[0]
    frame = decode_frame(first)
    assert isinstance(frame, BookFrame)
    assert frame.data[0].timestamp is None


def test_status_heartbeat_ticker_and_strangers() -> None:
    assert decode_frame(scripted.STATUS.encode()) == StatusFrame("online")
    assert decode_frame(scripted.HEARTBEAT.encode()) == Heartbeat()
    assert decode_frame(TICKER.encode()) == TickerFrame((Ticker("BTC/USD", "83744.2", "83744.3"),))
    assert decode_frame(b'{"channel":"ohlc","type":"update","data":[]}') == OtherFrame("ohlc")


def test_instruments_lose_their_exponents_and_a_bad_pair_costs_only_itself() -> None:
    bad = scripted.pair_text("BAD/USD", 2, 8).replace('"qty_precision":8', '"qty_precision":-8')
    text = scripted.instrument_text(scripted.pair_text("BONK/USD", 9, 5), bad)
    frame = decode_frame(text.encode())
    assert isinstance(frame, InstrumentFrame)
    assert frame.malformed == 1
    (pair,) = frame.pairs
    assert (pair.symbol, pair.price_precision, pair.qty_precision) == ("BONK/USD", 9, 5)
    assert (pair.price_increment, pair.qty_min) == ("0.000000001", "0.00005")


def test_acks_and_pongs() -> None:
    ack = decode_frame(BOOK_ACK.encode())
    assert isinstance(ack, Reply)
    assert (ack.method, ack.is_success, ack.channel, ack.symbol) == (
        "subscribe", True, "book", "BTC/USD",
    )  # fmt: skip
    pong = decode_frame(scripted.pong_text(101).encode())
    assert isinstance(pong, Reply)
    assert (pong.method, pong.is_success, pong.req_id) == ("pong", True, 101)
    assert pong.time_in_ns == 1_786_923_424_334_090_000


@pytest.mark.parametrize(
    ("text", "error", "symbol"),
    [
        (
            (
                '{"error":"Currency pair not supported XBT/USD","method":"subscribe",'
                '"success":false,"symbol":"XBT/USD"}'
            ),
            "Currency pair not supported XBT/USD",
            "XBT/USD",
        ),
        (
            '{"error":"Subscription depth not supported","method":"subscribe","success":false}',
            "Subscription depth not supported",
            "",
        ),
        (
            (
                '{"channel":"executions","error":"ESession:Invalid session","method":"subscribe",'
                '"status":"error","success":false}'
            ),
            "ESession:Invalid session",
            "",
        ),
        ('{"Error":"Exceeded msg rate"}', "Exceeded msg rate", ""),
        (
            '{"error":"EOrder:Insufficient funds","method":"add_order","req_id":7,"success":false}',
            "EOrder:Insufficient funds",
            "",
        ),
    ],
)
def test_recorded_refusals(text: str, error: str, symbol: str) -> None:
    reply = decode_frame(text.encode())
    assert isinstance(reply, Reply)
    assert (reply.is_success, reply.error, reply.symbol) == (False, error, symbol)


def test_executions_and_balances_are_exact() -> None:
    frame = decode_frame(TRADE.encode())
    assert isinstance(frame, ExecutionFrame)
    (entry,) = frame.entries
    assert frame.sequence == 10
    assert (entry.exec_id, entry.last_qty, entry.last_price, entry.cost) == (
        "TGBB7L-HT5LX-J3BZ4A", Decimal("0.005"), Decimal("26599.9"), Decimal("132.9995"),
    )  # fmt: skip
    assert entry.fees == (("USD", Decimal("0.3458")),)
    assert (entry.cl_ord_id, entry.order_qty) == (None, None)
    balances = decode_frame(BALANCES.encode())
    assert balances == BalanceFrame(
        "snapshot", 1, (Balance("SOL", Decimal("4.25")), Balance("USD", Decimal(10)))
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"null", b"[]", b"1", b'"book"', b"{}", b"\xff\xfe", b'{"channel":7}',
        b'{"channel":"book","type":"other","data":[]}',
        b'{"channel":"book","type":"update","data":{}}',
        b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","checksum":1e309}]}',
        b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","checksum":NaN}]}',
        b'{"channel":"status","type":"update","data":[]}',
        b'{"channel":"ticker","data":[{"symbol":"BTC/USD","bid":-1,"ask":2}]}',
        b'{"channel":"ticker","data":[{"symbol":"BTC/USD","bid":1e309,"ask":2}]}',
        b'{"channel":"executions","type":"update","data":[{"order_id":"O"}]}',
        b'{"channel":"executions","type":"update","data":[{"order_id":""}],"sequence":1}',
        b'{"channel":"balances","type":"update","data":[{"asset":"SOL"}],"sequence":1}',
        b'{"channel":' + b"[" * 100_000,
        b'{"channel":"book","type":"update","data":' + b"[" * 100_000,
        b'{"channel":"x","data":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    ],
)  # fmt: skip
def test_malformed_frames_raise_the_named_error(frame: bytes) -> None:
    with pytest.raises(FeedCorrupt):
        decode_frame(frame)


def test_order_request_as_documented() -> None:
    order = CexOrder(
        cl_ord_id="6d1f3c5e-4f0b-5d43-9a52-0f8e6f3b7a11",
        symbol="SOL/USD",
        side="buy",
        qty=Decimal("0.00000120"),
        limit_price=Decimal("1.5E+2"),
        deadline_ns=1_700_000_001_234_999_999,
    )
    text = requests.add_order(7, order, "TOKEN")
    assert b'"order_qty":0.00000120,' in text
    assert b'"limit_price":150,' in text
    assert msgspec.json.decode(text) == {
        "method": "add_order",
        "req_id": 7,
        "params": {
            "order_type": "limit",
            "side": "buy",
            "order_qty": 0.0000012,
            "symbol": "SOL/USD",
            "limit_price": 150,
            "time_in_force": "ioc",
            "cl_ord_id": "6d1f3c5e-4f0b-5d43-9a52-0f8e6f3b7a11",
            "fee_preference": "quote",
            "stp_type": "cancel_newest",
            "deadline": "2023-11-14T22:13:21.234Z",
            "token": "TOKEN",
        },
    }


def test_subscriptions_as_documented() -> None:
    assert requests.books("subscribe", 1, ["SOL/USD", "SOL/USDT"], 10) == (
        b'{"method":"subscribe","req_id":1,"params":{"channel":"book",'
        b'"symbol":["SOL/USD","SOL/USDT"],"depth":10,"snapshot":true}}'
    )
    assert requests.books("unsubscribe", 2, ["SOL/USD"], 10) == (
        b'{"method":"unsubscribe","req_id":2,"params":{"channel":"book",'
        b'"symbol":["SOL/USD"],"depth":10}}'
    )
    assert requests.ping(101) == b'{"method":"ping","req_id":101}'
    assert b'"event_trigger":"bbo"' in requests.tickers(3, ["SOL/USD"])
    executions = requests.executions(4, "T")
    assert b'"snap_orders":true,"snap_trades":true' in executions
