"""The public side of the simulated Kraken: instrument, book, ticker and trade channels.

`MarketStream` turns exchange events into frames once per pair and depth; a `PublicSession`
holds one socket's subscriptions. The book faults (lost, corrupt, doubled, reordered
updates) strike here, each subscriber by itself, after the frame was made correctly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from feeds.sim.faults import FaultValue
from feeds.sim.hosting import ServerConn
from feeds.sim.kraken import frames
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.ladder import DepthWindow, WindowDiff
from feeds.sim.kraken.records import BookChanged, Level, PairChanged, PairSpec, Printed
from feeds.sim.kraken.session import Request, RequestRefused, Session, Surroundings

BOOK_SHAPES = ("normal", "crossed", "one_sided", "thin")
DEPTHS = (10, 25, 100, 500, 1000)
PRIVATE_CHANNELS = ("executions", "balances")
_WRONG_HOST = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
# How often the venue names a price twice in one message (1 of 509 recorded updates).
_REPEAT_P = 0.002


class TickerState(msgspec.Struct):
    """What the ticker shows of one pair's trading since the start."""

    last: Decimal = Decimal(0)
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    volume: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    best: tuple[Level | None, Level | None] = (None, None)

    def add(self, price: Decimal, qty: Decimal) -> None:
        """Count one public trade."""
        self.last = price
        self.low = min(self.low, price) if self.low else price
        self.high = max(self.high, price)
        self.volume += qty
        self.turnover += price * qty


class MarketStream:
    """All public subscriptions of one server, and the frames they get."""

    def __init__(self, exchange: KrakenExchange, around: Surroundings) -> None:
        self.exchange = exchange
        self.around = around
        # In order of arrival: the order of random draws must not hang on addresses.
        self.sessions: dict[PublicSession, None] = {}
        self._windows: dict[tuple[str, int], DepthWindow] = {}
        self._tickers = {symbol: TickerState() for symbol in exchange.pairs}

    def window(self, symbol: str, depth: int) -> DepthWindow:
        """The shared view of a pair at a depth, current as of the last event."""
        found = self._windows.get((symbol, depth))
        if found is None:
            found = DepthWindow(self.exchange.pairs[symbol], depth)
            found.advance(*self._shown(*self.exchange.levels(symbol)))
            self._windows[symbol, depth] = found
        return found

    def on_book(self, changed: BookChanged) -> None:
        """Send each subscriber the change inside its window, and the ticker its new best."""
        bids, asks = self._shown(changed.bids, changed.asks)
        for (symbol, depth), window in self._windows.items():
            if symbol != changed.symbol:
                continue
            diff = window.advance(bids, asks)
            if diff is None:
                continue
            subscribers = [s for s in self.sessions if s.books.get(symbol) == depth]
            if subscribers:
                text = self._update_text(window, diff, changed.at_ns)
                for session in subscribers:
                    session.post_book(symbol, text)
        ticker = self._tickers[changed.symbol]
        best = next(iter(bids), None), next(iter(asks), None)
        if best != ticker.best:
            ticker.best = best
            self._send_ticker(changed.symbol, "bbo")

    def reshape(self, shape: FaultValue) -> None:
        """Show every book in its new shape at once; ValueError on an unknown word."""
        if shape not in BOOK_SHAPES:
            raise ValueError(f"book shape is one of {', '.join(BOOK_SHAPES)}")
        for symbol in self.exchange.pairs:
            bids, asks = self.exchange.levels(symbol)
            self.on_book(BookChanged(symbol, bids, asks, self.around.clock.now_ns()))

    def _shown(
        self, bids: Sequence[Level], asks: Sequence[Level]
    ) -> tuple[Sequence[Level], Sequence[Level]]:
        """What the feed tells of a book; only a fault makes it differ from the book."""
        shape = self.around.faults.get("kraken.book_shape")
        if shape == "one_sided":
            return bids, ()
        if shape == "thin":
            return bids[:1], asks[:1]
        if shape == "crossed" and bids and asks:
            return [(asks[0][0] + 1, bids[0][1]), *bids], asks
        return bids, asks

    def on_print(self, printed: Printed) -> None:
        """Send a public trade."""
        spec = self.exchange.pairs[printed.symbol]
        price = Decimal(printed.ticks).scaleb(-spec.price_precision)
        self._tickers[printed.symbol].add(price, Decimal(printed.lots).scaleb(-spec.qty_precision))
        text = frames.trade_frame(spec, printed)
        for session in self.sessions:
            if printed.symbol in session.trades and not session.is_muted("trade", printed.symbol):
                session.post(text, is_data=True)
        self._send_ticker(printed.symbol, "trades")

    def on_pair(self, changed: PairChanged) -> None:
        """Send the new specification; a rescaled pair starts over from a new snapshot."""
        spec = changed.spec
        text = frames.instrument_frame("update", [spec])
        for session in self.sessions:
            if session.has_instrument and not session.is_muted("instrument"):
                session.post(text, is_data=True)
        if not changed.is_rescaled:
            return
        for symbol, depth in [key for key in self._windows if key[0] == spec.symbol]:
            del self._windows[symbol, depth]
            for session in self.sessions:
                if session.books.get(symbol) == depth:
                    session.post(self.snapshot_text(symbol, depth), is_data=True)

    def snapshot_text(self, symbol: str, depth: int) -> str:
        """A `book` snapshot of the present window."""
        window = self.window(symbol, depth)
        now_ns = self.around.clock.now_ns()
        crc = window.checksum()
        return frames.book_frame("snapshot", window, window.bids, window.asks, crc, now_ns)

    def ticker_text(self, kind: str, symbol: str) -> str:
        """A `ticker` frame of the present state."""
        spec, state = self.exchange.pairs[symbol], self._tickers[symbol]
        bids, asks = self._shown(*self.exchange.levels(symbol))
        bid, ask = (_decimals(spec, side[0] if side else (0, 0)) for side in (bids, asks))
        entry = {
            "symbol": symbol,
            "bid": bid[0],
            "bid_qty": bid[1],
            "ask": ask[0],
            "ask_qty": ask[1],
            "last": state.last,
            "volume": state.volume,
            "vwap": round(state.turnover / state.volume, 8) if state.volume else Decimal(0),
            "low": state.low,
            "high": state.high,
            "change": Decimal(0),
            "change_pct": Decimal(0),
        }
        return frames.frame("ticker", kind, [entry])

    def _send_ticker(self, symbol: str, trigger: str) -> None:
        subscribers = [
            session
            for session in self.sessions
            if session.tickers.get(symbol) == trigger and not session.is_muted("ticker", symbol)
        ]
        if subscribers:
            text = self.ticker_text("update", symbol)
            for session in subscribers:
                session.post(text, is_data=True)

    def _update_text(self, window: DepthWindow, diff: WindowDiff, at_ns: int) -> str:
        bids, asks = diff.bids, diff.asks
        if bids and bids[-1][1] and self.around.rng.random() < _REPEAT_P:
            ticks, lots = bids[-1]
            bids = [*bids[:-1], (ticks, lots + 1), (ticks, lots)]
        return frames.book_frame("update", window, bids, asks, diff.checksum, at_ns)


class PublicSession(Session):
    """One socket on the public path."""

    def __init__(self, conn: ServerConn, around: Surroundings, stream: MarketStream) -> None:
        super().__init__(conn, around)
        self.stream = stream
        self.has_instrument = False
        self.books: dict[str, int] = {}
        self.tickers: dict[str, str] = {}
        self.trades: set[str] = set()
        self._muted: set[tuple[str, str]] = set()
        self._held_back: dict[str, str] = {}
        self.methods |= {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "add_order": self._wrong_host,
            "cancel_order": self._wrong_host,
            "cancel_all": self._wrong_host,
            "cancel_all_orders_after": self._wrong_host,
        }
        stream.sessions[self] = None

    def left(self) -> None:
        self.stream.sessions.pop(self, None)

    def has_subscription(self) -> bool:
        return bool(self.has_instrument or self.books or self.tickers or self.trades)

    def is_muted(self, channel: str, symbol: str = "") -> bool:
        """Whether this subscription was acked by a server that then forgot it."""
        return (channel, symbol) in self._muted

    def post_book(self, symbol: str, text: str) -> None:
        """Send one book update, unless a fault befalls it on the way."""
        if self.is_muted("book", symbol):
            return
        faults, rng = self.around.faults, self.around.rng
        if faults.strikes("kraken.drop_update_p", rng):
            return
        if faults.strikes("kraken.corrupt_update_p", rng):
            text = corrupted(text)
        if symbol not in self._held_back and faults.strikes("kraken.reorder_update_p", rng):
            self._held_back[symbol] = text
            return
        self.post(text, is_data=True)
        if faults.strikes("kraken.duplicate_update_p", rng):
            self.post(text, is_data=True)
        if late := self._held_back.pop(symbol, None):
            self.post(late, is_data=True)

    def _wrong_host(self, request: Request) -> None:
        raise RequestRefused(_WRONG_HOST)

    def _subscribe(self, request: Request) -> None:
        channel = request.params.get("channel")
        if channel in PRIVATE_CHANNELS:
            raise RequestRefused(_WRONG_HOST)
        if channel == "instrument":
            self._subscribe_instrument(request)
            return
        if channel not in ("book", "ticker", "trade"):
            raise RequestRefused("Channel not supported")
        depth = request.params.get("depth", 10)
        if channel == "book" and depth not in DEPTHS:
            raise RequestRefused("Subscription depth not supported")
        for symbol in _symbols(request):
            self._subscribe_symbol(request, channel, symbol)

    def _subscribe_instrument(self, request: Request) -> None:
        if self.has_instrument:
            raise RequestRefused("Already subscribed")
        self.has_instrument = True
        result = {"channel": "instrument", "snapshot": True, "warnings": [frames.TICK_SIZE_WARNING]}
        self.acknowledge(request, result)
        if self._mute_if_told("instrument", ""):
            return
        text = frames.instrument_frame("snapshot", list(self.stream.exchange.pairs.values()))
        self.post(text, request.answer_delay_s, is_data=True)

    def _subscribe_symbol(self, request: Request, channel: str, symbol: str) -> None:
        if symbol not in self.stream.exchange.pairs:
            error = f"Currency pair not supported {symbol}"
            self.refuse(request, error, symbol=symbol)
            return
        if self._is_subscribed(channel, symbol):
            self.refuse(request, "Already subscribed", symbol=symbol)
            return
        wants_snapshot = request.params.get("snapshot", channel != "trade") is True
        result: dict[str, object] = {"channel": channel, "snapshot": wants_snapshot}
        is_muted = self._mute_if_told(channel, symbol)
        snapshot = ""
        if channel == "book":
            depth = int(request.params.get("depth", 10))
            self.books[symbol] = depth
            result["depth"] = depth
            snapshot = self.stream.snapshot_text(symbol, depth)
        elif channel == "ticker":
            trigger = str(request.params.get("event_trigger", "trades"))
            self.tickers[symbol] = trigger
            result["event_trigger"] = trigger
            snapshot = self.stream.ticker_text("snapshot", symbol)
        else:
            self.trades.add(symbol)
        self.acknowledge(request, result | {"symbol": symbol})
        if wants_snapshot and snapshot and not is_muted:
            self.post(snapshot, request.answer_delay_s, is_data=True)

    def _is_subscribed(self, channel: str, symbol: str) -> bool:
        if channel == "book":
            return symbol in self.books
        return symbol in (self.tickers if channel == "ticker" else self.trades)

    def _mute_if_told(self, channel: str, symbol: str) -> bool:
        """Mark a subscription that will be acked and never heard of again."""
        self._muted.discard((channel, symbol))
        if self.around.faults.is_on("kraken.silent_after_ack"):
            self._muted.add((channel, symbol))
            return True
        return False

    def _unsubscribe(self, request: Request) -> None:
        channel = request.params.get("channel")
        if channel == "instrument":
            if not self.has_instrument:
                raise RequestRefused("Subscription Not Found")
            self.has_instrument = False
            self.acknowledge(request, {"channel": channel})
            return
        for symbol in _symbols(request):
            self._unsubscribe_symbol(request, str(channel), symbol)

    def _unsubscribe_symbol(self, request: Request, channel: str, symbol: str) -> None:
        result: dict[str, object] = {"channel": channel, "symbol": symbol}
        if channel == "book" and self.books.get(symbol) == request.params.get("depth", 10):
            result["depth"] = self.books.pop(symbol)
            self._held_back.pop(symbol, None)
        elif channel == "ticker" and symbol in self.tickers:
            del self.tickers[symbol]
        elif channel == "trade" and symbol in self.trades:
            self.trades.discard(symbol)
        else:
            self.refuse(request, "Subscription Not Found", symbol=symbol)
            return
        self.acknowledge(request, result)


def corrupted(text: str) -> str:
    """Change the last digit of the first quantity in a book frame; the checksum stays."""

    def other_digit(found: re.Match[str]) -> str:
        digits = found.group(0)
        return digits[:-1] + ("1" if digits[-1] != "1" else "2")

    return re.sub(r'"qty":[0-9.]+', other_digit, text, count=1)


def _symbols(request: Request) -> Iterable[str]:
    listed = request.params.get("symbol")
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise RequestRefused("Symbol(s) must be an array of strings")
    return listed


def _decimals(spec: PairSpec, level: Level) -> tuple[Decimal, Decimal]:
    ticks, lots = level
    return Decimal(ticks).scaleb(-spec.price_precision), Decimal(lots).scaleb(-spec.qty_precision)
