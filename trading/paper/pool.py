"""A pool with our own model swaps in it, exact, until the recorded chain has overtaken them.

A recording does not contain our swaps, so each is executed again on every later recorded
state. The rule: a swap of ours stays projected until the recorded price has come to where
our swap left the pool (others made the same move), or `impact_slots` have passed. Pure.
"""

from __future__ import annotations

from collections import deque

import msgspec

from feeds.market.curve import root_price
from feeds.market.events import PoolUpdated
from feeds.market.pools import Pool, QuoteRefused, Swap
from feeds.market.quote import quote

_KEPT_STATES = 8


class OwnSwap(msgspec.Struct, frozen=True):
    """A swap of ours that the recorded states do not contain.

    `left_root` is where it left the pool (s = sqrt(quote / base)); `rises` when it bought base.
    """

    base_raw: int
    exact_in: bool
    a_to_b: bool
    rises: bool
    left_root: float
    landed_slot: int


class PaperPool:
    """The recorded states of one pool, newest last, and our swaps on top of them."""

    def __init__(self, base_is_a: bool, impact_slots: int) -> None:
        self._base_is_a = base_is_a
        self._impact_slots = impact_slots
        self._states: deque[PoolUpdated] = deque(maxlen=_KEPT_STATES)
        self._own: list[OwnSwap] = []

    @property
    def has_impact(self) -> bool:
        """Whether what is shown differs from what the chain said."""
        return bool(self._own)

    def take_state(self, event: PoolUpdated) -> PoolUpdated:
        """Take a recorded state; return it with our own swaps still projected onto it."""
        if self._states and event.slot < self._states[-1].slot:
            return event
        self._states.append(event)
        if not self._own:
            return event
        self._own = [own for own in self._own if not self._is_overtaken(own, event)]
        shown = self._with_own(event.state, event.recv_ns // 1_000_000_000)
        return event if shown is None else msgspec.structs.replace(event, state=shown)

    def drop(self) -> None:
        """The pool is invalid (a fork, a lost endpoint): forget it and our projection."""
        self._states.clear()
        self._own.clear()

    def swap_in(
        self,
        slot: int,
        *,
        base_raw: int,
        threshold_raw: int,
        exact_in: bool,
        a_to_b: bool,
        is_first: bool,
        now_s: int,
    ) -> Swap | QuoteRefused:
        """Execute in `slot`, before (`is_first`) or after the others of that slot.

        Exactly what the program does: a breached threshold is a refusal, nothing moves.
        """
        state = self._state_at(slot, is_first)
        if state is None:
            return QuoteRefused("pool_unknown")
        on = self._with_own(state, now_s)
        if on is None:
            return QuoteRefused("own_projection_failed")
        found = quote(on, base_raw, exact_in=exact_in, a_to_b=a_to_b, now_s=now_s)
        if isinstance(found, QuoteRefused):
            return found
        if (found.amount_in if exact_in else found.amount_out) != base_raw:
            return QuoteRefused("partial_fill")
        breached = found.amount_out < threshold_raw if exact_in else found.amount_in > threshold_raw
        if breached:
            return QuoteRefused("threshold")
        self._own.append(
            OwnSwap(
                base_raw=base_raw,
                exact_in=exact_in,
                a_to_b=a_to_b,
                rises=not exact_in,
                left_root=root_price(found.after, self._base_is_a),
                landed_slot=slot,
            )
        )
        newest = self._states[-1]
        self._own = [own for own in self._own if not self._is_overtaken(own, newest)]
        return found

    def now(self, slot: int, recv_ns: int) -> PoolUpdated | None:
        """The pool with our swaps as of `slot`; None while unknown."""
        if not self._states:
            return None
        newest = self._states[-1]
        state = self._with_own(newest.state, recv_ns // 1_000_000_000)
        if state is None:
            return None
        return PoolUpdated(newest.pool, max(slot, newest.slot), state, recv_ns)

    def moved_in(self, slot: int) -> bool:
        """Whether others moved the pool's price in `slot`."""
        after, before = self._state_at(slot, False), self._state_at(slot, True)
        if after is None or before is None:
            return False
        return root_price(after, self._base_is_a) != root_price(before, self._base_is_a)

    def _state_at(self, slot: int, is_first: bool) -> Pool | None:
        limit = slot - 1 if is_first else slot
        for event in reversed(self._states):
            if event.slot <= limit:
                return event.state
        return None

    def _with_own(self, state: Pool, now_s: int) -> Pool | None:
        """Our swaps executed again, in order; None when the pool no longer carries them."""
        for own in self._own:
            found = quote(
                state, own.base_raw, exact_in=own.exact_in, a_to_b=own.a_to_b, now_s=now_s
            )
            if isinstance(found, QuoteRefused):
                return None
            state = found.after
        return state

    def _is_overtaken(self, own: OwnSwap, event: PoolUpdated) -> bool:
        if event.slot - own.landed_slot > self._impact_slots:
            return True
        if event.slot < own.landed_slot:
            return False
        root = root_price(event.state, self._base_is_a)
        return root >= own.left_root if own.rises else root <= own.left_root
