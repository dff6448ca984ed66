"""Holds the venues' balances against our own records, and stops what they do not explain.

Every balance has an anchor: the venue's figure at some ledger entry. From there on
anchor + booked entries + fills on their way into the books must be the balance, within
what attempts still under way may move. A difference that two readings agree on is
HEDGE-ONLY with an incident: a deposit by hand, a lost record, somebody else's key. Lifting
the stop accepts it as an external event, never as PnL. Run by the host. Not here: the
venues' reads (`holdings`).
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
from trading.execution.booking import SOL
from trading.models import BalanceAnchor
from trading.process.holdings import Holdings
from trading.storage.store import TradeStore

log = event_logger(__name__)
RULE: Final = "balance_drift"
LOOK_EVERY_S: Final = 20.0
# One reading may meet the venue between two of its own books.
READINGS: Final = 2
# Of the balance; booked amounts are exact, so this is for what venues round and nothing else.
TOLERANCE: Final = Decimal("0.0001")
# A token account's rent comes back or goes without a trade; 0.003 SOL of native SOL.
RENT_SOL: Final = Decimal("0.003")
# What an attempt under way may move, beyond its size: prices and fees.
_IN_FLIGHT: Final = Decimal("1.05")
# No transaction costs more native SOL than this.
FEE_SOL: Final = Decimal("0.01")
# Trades that are older and not booked are parked ones, which are asked for by their state.
UNBOOKED_FOR_NS: Final = 3_600_000_000_000

DatabaseAway = (psycopg.OperationalError, OperationalError, InterfaceError)
Key = tuple[str, str]
RaiseStop = Callable[[str, str, str, str, str], Awaitable[None]]


class Anchor(msgspec.Struct, frozen=True):
    """One anchor as read, with what was booked after it."""

    balance: Decimal
    at_ns: int
    disputed: Decimal | None
    booked: Decimal


class Unbooked(msgspec.Struct, frozen=True):
    """One attempt not in the books, with one of its fills (None: it has none)."""

    venue: str
    asset: str
    notional_usd: Decimal
    qty: Decimal
    is_live: bool
    base_delta: Decimal | None
    quote_delta: Decimal | None
    quote_asset: str | None
    fee: Decimal | None
    fee_asset: str | None


class Balance(msgspec.Struct, frozen=True):
    """Which balance: the venue's own name and ours; `is_native` is the SOL that pays fees."""

    venue: str
    venue_asset: str
    asset: str
    is_base: bool

    @property
    def key(self) -> Key:
        """How anchors and the ledger name it."""
        return self.venue, self.venue_asset

    @property
    def is_native(self) -> bool:
        """Whether this is native SOL, which no trade moves and every swap needs."""
        return self.venue == "solana" and self.venue_asset == SOL


class Records(msgspec.Struct, frozen=True):
    """What our tables say at one moment: anchors, the last entry, what is not booked."""

    anchors: dict[Key, Anchor]
    latest: int
    unbooked: list[Unbooked]

    def pending(self, of: Balance) -> Decimal:
        """What finished attempts have moved of a balance and the ledger does not have."""
        total = Decimal(0)
        for each in self.unbooked:
            if each.venue != of.venue or each.is_live or each.base_delta is None:
                continue
            assert each.quote_delta is not None
            assert each.fee is not None
            pays_native = each.venue == "solana"
            if of.is_native:
                total -= each.fee
                continue
            if each.asset == of.asset:
                total += each.base_delta
            if each.quote_asset == of.asset:
                total += each.quote_delta
            if each.fee_asset == of.asset and not pays_native:
                total -= each.fee
        return total

    def uncertain(self, of: Balance) -> Decimal:
        """The most that attempts still under way may move of a balance.

        A dollar is about a unit of every quote asset; which one is not asked.
        """
        live = [each for each in self.unbooked if each.is_live and each.venue == of.venue]
        if of.is_native:
            return FEE_SOL * len(live)
        moved = (
            each.qty if each.asset == of.asset else Decimal(0) if of.is_base else each.notional_usd
            for each in live
        )
        return _IN_FLIGHT * sum(moved, Decimal(0))


class Seen(msgspec.Struct, frozen=True):
    """One balance as read, what it should be, and what is under way may explain of it."""

    of: Balance
    amount: Decimal
    expected: Decimal
    slack: Decimal
    is_quiet: bool
    read_ns: int

    @property
    def scope(self) -> str:
        """What a difference stops: an asset alone, or everything that trades in dollars."""
        return self.of.asset if self.of.is_base and not self.of.is_native else "*"


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
        for venue, venue_asset, asset, amount in self._holdings.samples():
            # A wallet that pays fees is never empty: the node has not this bank's accounts.
            is_absent = venue == "solana" and not self._holdings.lamports
            if asset in self._watched and not is_absent:
                of = Balance(venue, venue_asset, asset, asset in self._bases)
                await self._look_at(of, amount, read_ns, before, after)

    async def _look_at(
        self, of: Balance, amount: Decimal, read_ns: int, before: Records, after: Records
    ) -> None:
        slack = max(before.uncertain(of), after.uncertain(of))
        pending = after.pending(of)
        is_quiet = not slack and not pending and not before.pending(of)
        known, anchor = before.anchors.get(of.key), after.anchors.get(of.key)
        if known is None or anchor is None:
            if is_quiet:
                await self._anchor(of.key, amount, after.latest)
            return
        if known.booked + before.pending(of) != anchor.booked + pending:
            # It moved while we asked: which of the two the venue showed is not known.
            return
        expected = anchor.balance + anchor.booked + pending
        seen = Seen(of, amount, expected, slack, is_quiet, read_ns)
        await self._compare(seen, anchor, after.latest)

    async def _compare(self, seen: Seen, anchor: Anchor, latest: int) -> None:
        difference = seen.amount - seen.expected
        if anchor.disputed is not None:
            if RULE not in self._stopped_by(seen.scope) and seen.is_quiet:
                await sync_to_async(_accept)(seen, latest, self._clock.now_ns())
            return
        limit = seen.slack + max(
            RENT_SOL if seen.of.is_native else Decimal(0), abs(seen.expected) * TOLERANCE
        )
        if abs(difference) <= limit:
            self._agreeing.pop(seen.of.key, None)
            if seen.is_quiet and anchor.booked:
                # To what is expected, not to what is there: small differences must add up.
                await self._anchor(seen.of.key, seen.expected, latest)
            return
        self._agreeing[seen.of.key] = self._agreeing.get(seen.of.key, 0) + 1
        if self._agreeing[seen.of.key] >= READINGS:
            await self._stop(seen, anchor, difference, limit)

    async def _stop(self, seen: Seen, anchor: Anchor, difference: Decimal, limit: Decimal) -> None:
        venue, name = seen.of.key
        age_s = (self._clock.now_ns() - seen.read_ns) / 1e9
        since = at_from_ns(anchor.at_ns)
        await self._dispute(seen.of.key, difference)
        self._agreeing.pop(seen.of.key, None)
        await self._raise_stop(
            seen.scope,
            RULE,
            f"{venue} {name}: unexplained change of {_plain(difference, sign=True)} since"
            f" {since:%Y-%m-%d %H:%M:%S} UTC. The venue says {_plain(seen.amount)}, our records"
            f" {_plain(seen.expected)}; read {age_s:.1f} s ago.",
            _plain(difference, sign=True),
            _plain(limit),
        )

    # ---- our tables ---------------------------------------------------------------------

    async def _records(self) -> Records:
        async with self._store.connection() as conn, conn.transaction():
            # One snapshot for all three.
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            anchors = await (await conn.execute(_ANCHORS_SQL)).fetchall()
            latest = await (await conn.execute(_LATEST_SQL)).fetchone()
            since_ns = self._clock.now_ns() - UNBOOKED_FOR_NS
            unbooked = await (await conn.execute(_UNBOOKED_SQL, [since_ns])).fetchall()
        assert latest is not None
        return Records(
            anchors={(row.pop("venue"), row.pop("venue_asset")): Anchor(**row) for row in anchors},
            latest=latest["latest"],
            unbooked=[Unbooked(**row) for row in unbooked],
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


def _accept(seen: Seen, ledger_id: int, now_ns: int) -> None:
    """A person has lifted the stop: what came or went is an external event from now on."""
    close_old_connections()
    _move_and_record(seen, ledger_id, now_ns)


@transaction.atomic
def _move_and_record(seen: Seen, ledger_id: int, now_ns: int) -> None:
    venue, name = seen.of.key
    BalanceAnchor.objects.filter(venue=venue, venue_asset=name).update(
        balance=seen.amount, ledger_id=ledger_id, at_ns=now_ns, disputed=None
    )
    audit.record(
        actor="engine",
        action="balance.accepted",
        target=f"{venue} {name}",
        before={"expected": _plain(seen.expected)},
        after={"balance": _plain(seen.amount)},
        reason="its stop was lifted: an external event, not PnL",
    )


def _plain(value: Decimal, *, sign: bool = False) -> str:
    return format(value.normalize() if value else Decimal(0), "+f" if sign else "f")


_ANCHORS_SQL = """
SELECT a.venue, a.venue_asset, a.balance, a.at_ns, a.disputed, coalesce(sum(l.delta), 0) AS booked
FROM trading_balanceanchor a
LEFT JOIN trading_ledgerentry l ON l.venue = a.venue AND l.venue_asset = a.venue_asset
    AND l.id > a.ledger_id AND l.id > (SELECT min(ledger_id) FROM trading_balanceanchor)
GROUP BY a.id
"""
_LATEST_SQL = "SELECT coalesce(max(id), 0) AS latest FROM trading_ledgerentry"
_UNBOOKED_SQL = """
SELECT a.venue, t.asset, t.notional_usd, a.qty,
    a.state IN ('planned', 'sending', 'unknown', 'acked') AS is_live,
    f.base_delta, f.quote_delta, f.quote_asset, f.fee, f.fee_asset
FROM trading_trade t
JOIN trading_attempt a ON a.trade_id = t.id AND NOT a.is_booked
LEFT JOIN trading_fill f ON f.attempt_id = a.id
WHERE t.state <> 'closed' AND t.detect_ns > %s OR t.state = 'operator' AND NOT t.is_settled
"""
_ANCHOR_SQL = """
INSERT INTO trading_balanceanchor (venue, venue_asset, balance, ledger_id, at_ns)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (venue, venue_asset) DO UPDATE SET balance = EXCLUDED.balance,
    ledger_id = EXCLUDED.ledger_id, at_ns = EXCLUDED.at_ns, disputed = NULL
"""
