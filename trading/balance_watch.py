"""Holds the venues' balances against our own records, and stops what they do not explain.

Every balance has an anchor: the venue's figure at some ledger entry. From there on
anchor + booked entries must be the balance; while trades are not booked yet, within what
they may have moved. A difference that two readings agree on is HEDGE-ONLY with an incident:
a deposit by hand, a lost record, somebody else's key. Lifting the stop accepts it as an
external event, never as PnL. Run by the host. Not here: the venues' reads (`holdings`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
import psycopg
from asgiref.sync import sync_to_async
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    transaction,
)

from arbsite import audit
from arbsite.clock import Clock, at_from_ns
from arbsite.errors import QueryFailed
from arbsite.logs import event_logger
from feeds.market.spec import MarketSpec
from trading.booking import SOL
from trading.holdings import Holdings
from trading.models import BalanceAnchor
from trading.store import TradeStore

log = event_logger(__name__)
RULE: Final = "balance_drift"
LOOK_EVERY_S: Final = 20.0
# One reading may meet the venue between two of its own books.
READINGS: Final = 2
# Of the balance; booked amounts are exact, so this is for what venues round and nothing else.
TOLERANCE: Final = Decimal("0.0001")
# A token account's rent comes back or goes without a trade; 0.003 SOL of native SOL.
RENT_SOL: Final = Decimal("0.003")
# What trades under way may move: both directions of a leg and its hedge, prices included.
_IN_FLIGHT: Final = Decimal("2.1")

DatabaseAway = (psycopg.OperationalError, OperationalError, InterfaceError)
Key = tuple[str, str]
RaiseStop = Callable[[str, str, str, str, str], Awaitable[None]]


class Anchor(msgspec.Struct, frozen=True):
    """One anchor as read, with what was booked after it."""

    balance: Decimal
    at_ns: int
    disputed: Decimal | None
    booked: Decimal

    @property
    def expected(self) -> Decimal:
        """What the venue should say now."""
        return self.balance + self.booked


class Records(msgspec.Struct, frozen=True):
    """What our tables say at one moment: anchors, last entry, USD not booked yet by asset."""

    anchors: dict[Key, Anchor]
    latest: int
    unbooked: dict[str, Decimal]


class Seen(msgspec.Struct, frozen=True):
    """One balance as read, whose stop it would be, and what is under way may explain of it."""

    key: Key
    scope: str
    balance: Decimal
    read_ns: int
    slack: Decimal
    is_native: bool


class BalanceWatch:
    """The watch of one engine process; anchors are the desk's, whoever looks."""

    def __init__(
        self,
        store: TradeStore,
        holdings: Holdings,
        specs: Iterable[MarketSpec],
        clock: Clock,
        *,
        raise_stop: RaiseStop,
        stopped_by: Callable[[str], Mapping[str, Any]],
    ) -> None:
        self._store = store
        self._holdings = holdings
        self._clock = clock
        self._raise_stop = raise_stop
        self._stopped_by = stopped_by
        self._bases: set[str] = set()
        # Native SOL pays fees whatever is traded.
        self._watched = {SOL}
        for spec in specs:
            self._bases.add(spec.asset)
            self._watched |= {spec.asset, spec.cex_quote, spec.pool_quote}
        self._agreeing: dict[Key, int] = {}

    async def look(self) -> None:
        """Read both venues between two looks at our records, and compare what stood still.

        Without an answer of a venue or the database nothing is compared this time.
        """
        try:
            await self._look()
        except (QueryFailed, *DatabaseAway) as error:
            log.info("balances.not_compared", error=str(error)[:200])

    async def _look(self) -> None:
        before = await self._records()
        await self._holdings.read()
        read_ns = self._clock.now_ns()
        after = await self._records()
        for venue, venue_asset, asset, balance in self._holdings.samples():
            # A wallet that pays fees is never empty: the node has not this bank's accounts.
            is_absent = venue == "solana" and not self._holdings.lamports
            if asset not in self._watched or is_absent:
                continue
            is_native = venue == "solana" and venue_asset == SOL
            slack = _most(
                _slack(records, asset, is_base=asset in self._bases, is_native=is_native)
                for records in (before, after)
            )
            key = (venue, venue_asset)
            anchor, known = after.anchors.get(key), before.anchors.get(key)
            if anchor is None or known is None:
                if slack == 0 and before.latest == after.latest:
                    await self._anchor(key, balance, after.latest)
            elif anchor.booked == known.booked and slack is not None:
                scope = asset if asset in self._bases and not is_native else "*"
                seen = Seen(key, scope, balance, read_ns, slack, is_native)
                await self._compare(seen, anchor, after.latest)

    async def _compare(self, seen: Seen, anchor: Anchor, latest: int) -> None:
        difference = seen.balance - anchor.expected
        if anchor.disputed is not None:
            if RULE not in self._stopped_by(seen.scope):
                await self._accept(seen, anchor, latest)
            return
        limit = seen.slack + max(
            RENT_SOL if seen.is_native else Decimal(0), abs(anchor.expected) * TOLERANCE
        )
        if abs(difference) <= limit:
            self._agreeing.pop(seen.key, None)
            if seen.slack == 0 and anchor.booked:
                # To what is expected, not to what is there: small differences must add up.
                await self._anchor(seen.key, anchor.expected, latest)
            return
        self._agreeing[seen.key] = self._agreeing.get(seen.key, 0) + 1
        if self._agreeing[seen.key] >= READINGS:
            await self._stop(seen, anchor, difference, limit)

    async def _stop(self, seen: Seen, anchor: Anchor, difference: Decimal, limit: Decimal) -> None:
        venue, name = seen.key
        age_s = (self._clock.now_ns() - seen.read_ns) / 1e9
        since = at_from_ns(anchor.at_ns)
        await self._dispute(seen.key, difference)
        self._agreeing.pop(seen.key, None)
        await self._raise_stop(
            seen.scope,
            RULE,
            f"{venue} {name}: unexplained change of {_plain(difference, sign=True)} since"
            f" {since:%Y-%m-%d %H:%M:%S} UTC. The venue says {_plain(seen.balance)}, our records"
            f" {_plain(anchor.expected)}; read {age_s:.1f} s ago.",
            _plain(difference, sign=True),
            _plain(limit),
        )

    async def _accept(self, seen: Seen, anchor: Anchor, latest: int) -> None:
        """A person has lifted the stop: what came or went is an external event from now on."""
        if seen.slack != 0:
            return
        await sync_to_async(_accept)(seen, anchor.expected, latest, self._clock.now_ns())

    # ---- our tables ---------------------------------------------------------------------

    async def _records(self) -> Records:
        async with self._store.connection() as conn, conn.transaction():
            # One snapshot for all three.
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            anchors = await (await conn.execute(_ANCHORS_SQL)).fetchall()
            latest = await (await conn.execute(_LATEST_SQL)).fetchone()
            unbooked = await (await conn.execute(_UNBOOKED_SQL)).fetchall()
        assert latest is not None
        return Records(
            anchors={(row.pop("venue"), row.pop("venue_asset")): Anchor(**row) for row in anchors},
            latest=latest["latest"],
            unbooked={row["asset"]: row["usd"] for row in unbooked},
        )

    async def _anchor(self, key: Key, balance: Decimal, ledger_id: int) -> None:
        async with self._store.connection() as conn:
            await conn.execute(_ANCHOR_SQL, [*key, balance, ledger_id, self._clock.now_ns()])

    async def _dispute(self, key: Key, difference: Decimal) -> None:
        async with self._store.connection() as conn:
            await conn.execute(
                "UPDATE trading_balanceanchor SET disputed = %s"
                " WHERE venue = %s AND venue_asset = %s",
                [difference, *key],
            )


def _accept(seen: Seen, expected: Decimal, ledger_id: int, now_ns: int) -> None:
    close_old_connections()
    _move_and_record(seen, expected, ledger_id, now_ns)


@transaction.atomic
def _move_and_record(seen: Seen, expected: Decimal, ledger_id: int, now_ns: int) -> None:
    venue, name = seen.key
    BalanceAnchor.objects.filter(venue=venue, venue_asset=name).update(
        balance=seen.balance, ledger_id=ledger_id, at_ns=now_ns, disputed=None
    )
    audit.record(
        actor="engine",
        action="balance.accepted",
        target=f"{venue} {name}",
        before={"expected": _plain(expected)},
        after={"balance": _plain(seen.balance)},
        reason="its stop was lifted: an external event, not PnL",
    )


def _slack(records: Records, asset: str, *, is_base: bool, is_native: bool) -> Decimal | None:
    """What unbooked trades may have moved of an asset; None = it cannot be told.

    A dollar is about a unit of every quote asset; of a base or of fees nothing is known.
    """
    touching = (
        records.unbooked.get(asset, Decimal(0))
        if is_base and not is_native
        else sum(records.unbooked.values(), Decimal(0))
    )
    if not touching:
        return Decimal(0)
    return None if is_base or is_native else touching * _IN_FLIGHT


def _most(slacks: Iterable[Decimal | None]) -> Decimal | None:
    most = Decimal(0)
    for slack in slacks:
        if slack is None:
            return None
        most = max(most, slack)
    return most


def _plain(value: Decimal, *, sign: bool = False) -> str:
    return format(value.normalize() if value else Decimal(0), "+f" if sign else "f")


_ANCHORS_SQL = """
SELECT venue, venue_asset, balance, at_ns, disputed,
    (SELECT coalesce(sum(l.delta), 0) FROM trading_ledgerentry l
        WHERE l.id > a.ledger_id AND l.venue = a.venue AND l.venue_asset = a.venue_asset) AS booked
FROM trading_balanceanchor a
"""
_LATEST_SQL = "SELECT coalesce(max(id), 0) AS latest FROM trading_ledgerentry"
# Reserved until a trade is closed, and a trade is closed when it is booked.
_UNBOOKED_SQL = """
SELECT asset, sum(notional_reserved) AS usd FROM risk_riskday
WHERE notional_reserved > 0 GROUP BY asset
"""
_ANCHOR_SQL = """
INSERT INTO trading_balanceanchor (venue, venue_asset, balance, ledger_id, at_ns)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (venue, venue_asset) DO UPDATE SET balance = EXCLUDED.balance,
    ledger_id = EXCLUDED.ledger_id, at_ns = EXCLUDED.at_ns, disputed = NULL
"""
