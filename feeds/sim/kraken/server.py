"""The simulated Kraken as a hosted server: WebSocket v2 public and private, and REST.

Ties exchange, fault board, clock, randomness and latency together and routes by path:
`/v2` and `/public/v2` public, `/private/v2` private, `/0/…` REST. It knows no sockets
(feeds/sim/hosting.py carries it) and no world (who quotes the books).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from arbsite.clock import Clock
from feeds.sim.faults import FaultBoard, FaultValue, RandomSource
from feeds.sim.hosting import Answer, ServerConn
from feeds.sim.kraken.exchange import KrakenExchange
from feeds.sim.kraken.latency import Latency
from feeds.sim.kraken.orders import OrderDesk
from feeds.sim.kraken.private import PrivateSession, Tokens
from feeds.sim.kraken.public import MarketStream, PublicSession
from feeds.sim.kraken.records import (
    BalancesMoved,
    BookChanged,
    ExchangeEvent,
    Executed,
    PairChanged,
    Printed,
    SystemChanged,
)
from feeds.sim.kraken.rest import KrakenRest
from feeds.sim.kraken.session import Session, Surroundings

PUBLIC_PATHS = ("/v2", "/public/v2")
PRIVATE_PATH = "/private/v2"

# What an overloaded edge in front of the venue answers instead of JSON.
HTML_502: Answer = (
    502,
    b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>",
    "text/html",
)


class KrakenServer:
    """The venue behind its wire; a `SimServer`. One per exchange."""

    def __init__(
        self,
        exchange: KrakenExchange,
        faults: FaultBoard,
        clock: Clock,
        rng: RandomSource,
        latency: Latency,
    ) -> None:
        self._exchange = exchange
        self._around = Surroundings(faults, clock, rng, latency)
        self._market = MarketStream(exchange, self._around)
        self._desk = OrderDesk(exchange, self._around)
        self._tokens = Tokens(clock, rng)
        self._rest = KrakenRest(exchange, self._desk, self._tokens, self._around)
        self._private: dict[PrivateSession, None] = {}
        exchange.listen(self._hear)
        faults.watch("kraken.drop_sockets", self._drop_sockets)
        faults.watch("kraken.expire_tokens", lambda _: self._tokens.expire_all())
        faults.watch("kraken.book_shape", self._market.reshape)
        faults.watch("kraken.sequence_gap", self._lose_next_execution)
        faults.watch("kraken.system_status", self._set_system_status)
        faults.watch("kraken.pair_status", self._set_pair_statuses)
        faults.watch("kraken.moved_by_hand", self._move_by_hand)

    def stop(self) -> None:
        """Cancel what the server has armed on the loop."""
        self._desk.stop()

    async def open_ws(self, path: str, conn: ServerConn) -> None:
        """Serve one WebSocket until it ends; an unknown path is closed at once."""
        bare = path.partition("?")[0]
        if bare in PUBLIC_PATHS:
            session: Session = PublicSession(conn, self._around, self._market)
        elif bare == PRIVATE_PATH:
            private = PrivateSession(
                conn, self._around, self._exchange, self._desk, self._tokens, self._forget
            )
            self._private[private] = None
            session = private
        else:
            await conn.close()
            return
        await session.run(self._exchange.system_status)

    async def http(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one REST call after its latency; ConnectionError when its answer is lost."""
        faults, rng = self._around.faults, self._around.rng
        half_s = self._around.latency.round_trip_s(rng) / 2
        await asyncio.sleep(half_s)
        await faults.wait_off("kraken.stall")
        if faults.strikes("kraken.html_502_p", rng):
            if rng.random() < 0.5:
                self._rest.answer(method, path, headers, body)
            answer = HTML_502
        else:
            answer = self._rest.answer(method, path, headers, body)
        await asyncio.sleep(half_s)
        await faults.wait_off("kraken.stall")
        return answer

    def _sessions(self) -> list[Session]:
        return [*self._market.sessions, *self._private]

    def _forget(self, session: PrivateSession) -> None:
        self._private.pop(session, None)

    def _hear(self, event: ExchangeEvent) -> None:
        match event:
            case BookChanged():
                self._market.on_book(event)
            case Printed():
                self._market.on_print(event)
            case PairChanged():
                self._market.on_pair(event)
            case Executed():
                for private in self._private:
                    private.on_executed(event)
            case BalancesMoved():
                for private in self._private:
                    private.on_balances(event)
            case SystemChanged():
                for session in self._sessions():
                    session.say_status(event.status)

    def _drop_sockets(self, _: FaultValue) -> None:
        for session in self._sessions():
            session.conn.abort()

    def _lose_next_execution(self, _: FaultValue) -> None:
        for private in self._private:
            if private.executions is not None:
                private.executions.loses_next = True

    def _move_by_hand(self, moved: FaultValue) -> None:
        amounts = moved if isinstance(moved, dict) else {}
        try:
            self._exchange.move_by_hand({name: Decimal(text) for name, text in amounts.items()})
        except InvalidOperation as error:
            raise ValueError(f"amounts are decimals as text: {amounts}") from error

    def _set_system_status(self, status: FaultValue) -> None:
        self._exchange.set_system_status(str(status))

    def _set_pair_statuses(self, named: FaultValue) -> None:
        statuses = named if isinstance(named, dict) else {}
        for symbol, spec in list(self._exchange.pairs.items()):
            status = statuses.get(symbol, "online")
            if status != spec.status:
                self._exchange.set_pair_status(symbol, status)
