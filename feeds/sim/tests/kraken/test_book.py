"""The book channel: every §3.3 client matches on every frame, and one that cuts corners fails."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.market.book import Book, RawLevel
from feeds.sim.kraken.ladder import DepthWindow
from feeds.sim.kraken.records import PairSpec
from feeds.sim.tests.kraken.rig import GST, SOL, YEN, NaiveBook, Venue, on_virtual_time
from feeds.sim.virtual_loop import run_virtual


def random_steps(venue: Venue, spec: PairSpec, rng: Random, levels: int, steps: int) -> None:
    """Quote and take at random around a wandering price, as the world does."""
    middle = 2_000

    def ladder(sign: int) -> list[tuple[int, int]]:
        offsets = rng.sample(range(1, levels * 2 + 2), rng.randint(0, levels))
        return [(middle + sign * offset, rng.randint(1, 10**9)) for offset in offsets]

    for _ in range(steps):
        if rng.random() < 0.7:
            middle += rng.randint(-3, 3)
            venue.exchange.quote_ladder(spec.symbol, ladder(-1), ladder(1))
        else:
            side = rng.choice(["buy", "sell"])
            limit = middle + (1 if side == "buy" else -1) * levels
            venue.exchange.take(spec.symbol, side, rng.randint(1, 10**9), limit)


async def replayed(
    spec: PairSpec, depth: int, levels: int, seed: int, *, truncates: bool = True
) -> list[bool]:
    """Run a random session; whether each frame's checksum matched in a naive client."""
    venue = Venue((spec,), seed=seed)
    client = await venue.book(spec.symbol, depth)
    random_steps(venue, spec, Random(seed), levels, 60)
    await client.send(method="ping")
    naive = NaiveBook(spec, depth, truncates=truncates)
    product = Book(spec.price_precision, spec.qty_precision, depth)
    matched = []
    while (text := await client.socket.recv()) and b'"pong"' not in text:
        frame = json.loads(text, parse_float=str, parse_int=str)
        matched.append(naive.apply(frame))
        (entry,) = frame["data"]
        bids, asks = (
            [RawLevel(level["price"].encode(), level["qty"].encode()) for level in entry[name]]
            for name in ("bids", "asks")
        )
        apply = product.apply_snapshot if frame["type"] == "snapshot" else product.apply_update
        assert apply(bids, asks, int(entry["checksum"]))
    best = venue.exchange.levels(spec.symbol)
    assert product.levels(depth) == tuple(tuple(side[:depth]) for side in best)
    await venue.transport.close()
    return matched


@settings(max_examples=40)
@given(
    spec=st.sampled_from([SOL, YEN, GST]),
    depth=st.sampled_from([10, 25]),
    levels=st.sampled_from([4, 12, 40]),
    seed=st.integers(0, 2**32),
)
def test_a_client_that_keeps_the_rules_matches_every_frame(
    spec: PairSpec, depth: int, levels: int, seed: int
) -> None:
    matched = run_virtual(replayed(spec, depth, levels, seed))
    assert len(matched) > 20
    assert all(matched)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_client_that_does_not_truncate_fails(seed: int) -> None:
    matched = run_virtual(replayed(SOL, 10, 40, seed, truncates=False))
    assert matched[0]
    assert not all(matched)


# Facts about the real venue: recorded levels and the checksum it sent with them.
GST_BIDS = (
    "16:25596595133811 15:26446546682136 14:19823450375152 13:26307771115063 12:13528323181445"
)
GST_BIDS += " 11:23272634707055 10:21190956878553 9:1666666666666 8:1360000000000 7:100000000000"
GST_ASKS = (
    "17:9451050669693 18:23248998702916 19:24477001655926 20:10339423779803 21:12022644704447"
)
GST_ASKS += (
    " 22:12281144535027 23:18576668965043 24:9533983830809 25:3296086333331 26:8632677204454"
)


def test_checksum_equals_the_recorded_one() -> None:
    window = DepthWindow(GST, 10)
    bids, asks = (
        [(int(ticks), int(lots)) for ticks, lots in (row.split(":") for row in text.split())]
        for text in (GST_BIDS, GST_ASKS)
    )
    diff = window.advance(bids, asks)
    assert diff is not None
    assert diff.checksum == 1931231958


def test_window_sends_what_enters_and_no_removal_for_what_falls_out() -> None:
    window = DepthWindow(SOL, 10)
    asks = [(ticks, 5) for ticks in range(100, 115)]
    window.advance([], asks)
    better = window.advance([], [(99, 7), *asks])
    assert better is not None
    assert better.asks == [(99, 7)]
    gone = window.advance([], asks[1:])
    assert gone is not None
    # 99 and 100 left, so 109 and 110 enter, in the same message.
    assert gone.asks == [(99, 0), (100, 0), (109, 5), (110, 5)]
    assert window.advance([], asks[1:13]) is None


@on_virtual_time
async def test_zero_decimal_prices_are_integers_and_instrument_shows_exponents() -> None:
    venue = Venue((SOL, YEN))
    venue.quote("ETH/JPY", 400_000)
    client = await venue.book("ETH/JPY")
    text = (await client.socket.recv()).decode()
    assert '"price":400000,"qty":1.00000000' in text
    await client.send(method="subscribe", params={"channel": "instrument"}, req_id=2)
    ack = await client.recv()
    assert ack["result"]["warnings"] == ["tick_size is deprecated, use price_increment"]
    text = (await client.socket.recv()).decode()
    assert '"qty_increment":1e-08' in text
    assert '"price_precision":0' in text


@on_virtual_time
async def test_two_depths_on_two_sockets_see_their_own_windows() -> None:
    venue = Venue()
    ladder = [(15_001 + step, 10**8) for step in range(30)]
    venue.exchange.quote_ladder("SOL/USD", [], ladder)
    shallow, deep = await venue.book(depth=10), await venue.book(depth=25)
    assert len((await shallow.recv())["data"][0]["asks"]) == 10
    assert len((await deep.recv())["data"][0]["asks"]) == 25
    venue.exchange.quote_ladder("SOL/USD", [], [*ladder[:20], (15_021, 5), *ladder[21:]])
    assert (await deep.recv())["data"][0]["asks"] == [{"price": "150.21", "qty": "0.00000005"}]
    venue.exchange.take("SOL/USD", "buy", 10**8, 15_001)
    entered = (await shallow.recv())["data"][0]["asks"]
    assert [level["price"] for level in entered] == ["150.01", "150.11"]
