"""Windows: the intervals in which one direction of one asset stays an opportunity.

A tracker per (asset, direction) turns a stream of priced samples into window rows, with
hysteresis, merging of short gaps, an honest close cause and the bookkeeping of who could
have traded it. Pure: time is the sample's. Called by the engine. Not here: the decision
to trade, the counterfactual of the simulator (the back-test has that).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

from arbsite.keys import window_id
from feeds.market.spec import Direction, MarketSpec
from risk.gates import INELIGIBLE_GATES
from trading.intent import WindowRow

# One slot: shorter gaps are merged, shorter windows could not have been traded.
MERGE_GAP_NS: Final = 400_000_000
MIN_LIFE_NS: Final = 400_000_000
CLOSE_FRACTION: Final = Decimal("0.5")
_NS: Final = 1_000_000_000

# The stream whose change made us look; it names the cause when a window ends.
Source = Literal["book", "pool", "config"]
CLOSE_CAUSES: Final[dict[Source, str]] = {
    "book": "book_moved",
    "pool": "pool_moved",
    "config": "config",
}


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """What names a moment: the book's frame, the pool's slot, the engine's time."""

    at_ns: int
    checksum: int
    venue_at_ns: int
    slot: int


class Priced(msgspec.Struct, frozen=True):
    """One direction, sized and priced at a snapshot; money in USD."""

    value_usd: Decimal
    pnl_usd: Decimal
    size_usd: Decimal
    gross_bps: float
    net_bps: float
    limited_by: str


class WindowTracker:
    """At most one window at a time; `observe` returns the row when it changed."""

    __slots__ = (
        "_closed",
        "_direction",
        "_gap_ns",
        "_last_ns",
        "_last_value",
        "_row",
        "_spec",
        "_stream_cause",
        "_value_ns",
    )

    def __init__(self, spec: MarketSpec, direction: Direction) -> None:
        self._spec = spec
        self._direction: Direction = direction
        self._row: WindowRow | None = None
        # The last closed window: the same opening frame must not open a twin of it.
        self._closed: WindowRow | None = None
        self._gap_ns: int | None = None
        self._stream_cause = "unknown"
        self._last_ns = 0
        self._last_value = Decimal(0)
        self._value_ns = Decimal(0)

    @property
    def row(self) -> WindowRow | None:
        """The window in force (open, or in a gap that may still be merged)."""
        return self._row

    @property
    def is_open(self) -> bool:
        """Whether a window is open right now, gaps excluded."""
        return self._row is not None and self._gap_ns is None

    def needs_sample(self, at_ns: int, source: Source) -> bool:
        """Whether a sample without an edge would change anything.

        It ends an open window; in a gap nothing happens but that it grows to a slot, or that
        a change of configuration ends it at once.
        """
        if self._row is None:
            return False
        gap_ns = self._gap_ns
        return gap_ns is None or at_ns - gap_ns >= MERGE_GAP_NS or source == "config"

    def restore(self, row: WindowRow, at_ns: int, *, can_merge: bool = True) -> None:
        """Continue a window found in the database; a restart neither renames nor re-fires it.

        A row closed less than a slot ago is taken back as a gap that may still be merged,
        unless `can_merge` says that it is known not to be.
        """
        ended_ns = row.closed_at_ns
        if ended_ns is not None and (at_ns - ended_ns >= MERGE_GAP_NS or not can_merge):
            self._closed = row
            return
        self._row = row
        self._gap_ns = row.closed_at_ns
        self._last_ns = at_ns
        # The value between the last row and now is not known: it is not counted.
        self._last_value = Decimal(0)
        self._value_ns = row.value_seconds_usd * _NS

    def observe(
        self,
        at: Snapshot,
        priced: Priced | None,
        theta_open: Decimal,
        source: Source,
        *,
        own_trade: bool = False,
    ) -> WindowRow | None:
        """Take a sample (None = no edge at all) and return the row if something happened.

        Opens at `theta_open`, ends below half of it. `source` names the stream that made us
        look, `own_trade` says that a trade of ours from this window is under way. A row
        counts as changed when the window opened, began or ended a gap, closed, or found a
        better moment.
        """
        value = priced.value_usd if priced is not None else Decimal(0)
        self.expire(at.at_ns)
        self._accrue(at.at_ns, value)
        if self._row is None:
            if priced is not None and value >= theta_open:
                return self._open(at, priced)
            return None
        holds = priced is not None and value >= theta_open * CLOSE_FRACTION
        if not holds:
            return self._begin_gap(at, source, own_trade)
        assert priced is not None
        if self._gap_ns is not None and value < theta_open:
            return None
        return self._hold(at, priced)

    def stand(self, at: Snapshot) -> None:
        """Go on with an open window at the value last seen."""
        row = self._row
        assert row is not None
        self._accrue(at.at_ns, self._last_value)
        if at.slot > row.last_slot:
            self._row = msgspec.structs.replace(row, last_slot=at.slot)

    def expire(self, at_ns: int) -> None:
        """Give up on merging a gap that has grown to a slot; its row already says closed."""
        if self._gap_ns is not None and at_ns - self._gap_ns >= MERGE_GAP_NS:
            self._forget()

    def close(self, at_ns: int, cause: str) -> WindowRow | None:
        """Close at once, without merging: feed loss, a flip, a configuration change."""
        if self._row is None:
            return None
        if self._gap_ns is not None:
            self._forget()
            return None
        self._accrue(at_ns, Decimal(0))
        self._row = self._ended(self._row, at_ns, cause)
        row = self._row
        self._forget()
        return row

    def count_intent(self) -> WindowRow:
        """One more intent was fired in this window."""
        assert self._row is not None
        row = self._row
        self._row = msgspec.structs.replace(row, version=row.version + 1, intents=row.intents + 1)
        return self._row

    def revise(self) -> WindowRow:
        """A new version of the same row, for news that is not in the row (the decision)."""
        assert self._row is not None
        self._row = msgspec.structs.replace(self._row, version=self._row.version + 1)
        return self._row

    def disown(self, window: UUID) -> WindowRow | None:
        """Our trade did not happen after all: name the stream that really ended the window."""
        row = self._row if self._gap_ns is not None else self._closed
        if row is None or row.window_id != window or row.close_cause != "own_trade":
            return None
        assert row.closed_at_ns is not None
        lived = row.closed_at_ns - row.opened_at_ns >= MIN_LIFE_NS
        row = msgspec.structs.replace(
            row,
            version=row.version + 1,
            close_cause=self._stream_cause,
            is_eligible=row.is_eligible and lived,
        )
        if self._gap_ns is not None:
            self._row = row
        else:
            self._closed = row
        return row

    def note_block(self, gate: str) -> WindowRow | None:
        """Remember the first gate that refused this window; None when it is known already."""
        row = self._row
        if row is None or row.blocked_by or row.intents:
            return None
        self._row = msgspec.structs.replace(row, version=row.version + 1, blocked_by=gate)
        return self._row

    def _open(self, at: Snapshot, priced: Priced) -> WindowRow:
        spec = self._spec
        name = window_id(
            spec.cex_symbol, spec.pool, self._direction, at.checksum, at.venue_at_ns, at.slot
        )
        self._gap_ns = None
        if self._closed is not None and self._closed.window_id == name:
            old = self._closed
            self._value_ns = old.value_seconds_usd * _NS
            self._row = msgspec.structs.replace(
                old, version=old.version + 1, closed_at_ns=None, close_cause=""
            )
            return self._row
        self._value_ns = Decimal(0)
        self._row = WindowRow(
            window_id=name,
            version=1,
            asset=spec.asset,
            direction=self._direction,
            opened_at_ns=at.at_ns,
            first_slot=at.slot,
            last_slot=at.slot,
            peak_value_usd=priced.value_usd,
            value_seconds_usd=Decimal(0),
            best_pnl_usd=priced.pnl_usd,
            best_size_usd=priced.size_usd,
            gross_bps=priced.gross_bps,
            net_bps=priced.net_bps,
            limited_by=priced.limited_by,
            intents=0,
            is_eligible=False,
            blocked_by="",
        )
        return self._row

    def _hold(self, at: Snapshot, priced: Priced) -> WindowRow | None:
        row = self._row
        assert row is not None
        merged = self._gap_ns is not None
        self._gap_ns = None
        better = priced.value_usd > row.peak_value_usd
        if not merged and not better:
            if at.slot > row.last_slot:
                self._row = msgspec.structs.replace(row, last_slot=at.slot)
            return None
        changes: dict[str, object] = {
            "version": row.version + 1,
            "last_slot": max(row.last_slot, at.slot),
            "value_seconds_usd": self._value_seconds(),
            "closed_at_ns": None,
            "close_cause": "",
        }
        if better:
            changes |= {
                "peak_value_usd": priced.value_usd,
                "best_pnl_usd": priced.pnl_usd,
                "best_size_usd": priced.size_usd,
                "gross_bps": priced.gross_bps,
                "net_bps": priced.net_bps,
                "limited_by": priced.limited_by,
            }
        self._row = msgspec.structs.replace(row, **changes)
        return self._row

    def _begin_gap(self, at: Snapshot, source: Source, own_trade: bool) -> WindowRow | None:
        row = self._row
        assert row is not None
        if source == "config":
            return self.close(at.at_ns, CLOSE_CAUSES[source])
        if self._gap_ns is not None:
            return None
        self._gap_ns = at.at_ns
        self._stream_cause = CLOSE_CAUSES[source]
        cause = "own_trade" if own_trade else self._stream_cause
        self._row = self._ended(row, at.at_ns, cause)
        return self._row

    def _ended(self, row: WindowRow, at_ns: int, cause: str) -> WindowRow:
        # Ended by our own trade, its life without us is not known: the model counts it in.
        lived = at_ns - row.opened_at_ns >= MIN_LIFE_NS or cause == "own_trade"
        return msgspec.structs.replace(
            row,
            version=row.version + 1,
            closed_at_ns=at_ns,
            close_cause=cause,
            value_seconds_usd=self._value_seconds(),
            is_eligible=lived and row.blocked_by not in INELIGIBLE_GATES,
        )

    def _forget(self) -> None:
        self._closed, self._row, self._gap_ns = self._row, None, None

    def _accrue(self, at_ns: int, value: Decimal) -> None:
        """Add last value × time since; only while the window is open."""
        if self.is_open and at_ns > self._last_ns:
            self._value_ns += self._last_value * (at_ns - self._last_ns)
        self._last_ns, self._last_value = at_ns, max(value, Decimal(0))

    def _value_seconds(self) -> Decimal:
        return (self._value_ns / _NS).quantize(Decimal("1e-9"))
