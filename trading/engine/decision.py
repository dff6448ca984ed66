"""From a changed market to a decision: price both directions, keep windows, ask the gates.

Pure; driven by the engine, which owns the state this works on.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from feeds.market.pools import QuoteRefused
from feeds.market.spec import DIRECTIONS, Direction
from risk.candidate import GateState
from risk.gates import Refused, check
from trading.effects import Effect, Execute, NoteWindow
from trading.engine.anchor import PROBE, STATE_GATES, VALUE_GATES, Anchor
from trading.engine.asset_state import AssetState, Decision, Said
from trading.engine.engine_state import EngineState
from trading.engine.evaluation import Found, Scene, Sized, find_size, price_size
from trading.engine.gate_view import candidate_of, gate_state_of
from trading.engine.intent_making import intent_of
from trading.engine.looks import Look
from trading.engine.projection import reservation_of, swaps_of
from trading.engine.routed import OF_THE_AMOUNT, priced_route, route_in_force
from trading.engine.scene import fault_beside_pool, rebuild_terms, scene_of, snapshot_of
from trading.intent import WindowRow
from trading.windows import CLOSE_FRACTION, Priced, Source, WindowTracker

# A window ends at half of what opens it; what is worth less than this is not priced.
_FOLLOWED: Final = 0.4


class Decider:
    """Evaluates one asset at a time over the engine's state."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    # ---- evaluation -------------------------------------------------------------------

    def evaluate(self, asset: AssetState, source: Source, effects: list[Effect]) -> None:
        """Price both directions, move the windows, and decide on an open one."""
        state, spec = self._state, asset.spec
        book, curve = state.feeds.books[spec.cex_symbol], state.feeds.curves[spec.pool]
        terms = asset.terms or rebuild_terms(state, asset)
        asset.look_at(book, curve, terms)
        asset.sized, asset.quote_refusal, asset.refusal = None, "", None
        if asset.basis.is_due(state.now_ns):
            asset.basis.observe(_signed_gap(asset.looks), state.now_ns)
        was_of_interest = asset.has_edge or asset.needs_sample(state.now_ns, source)
        if not (was_of_interest or asset.can_have_edge(book, curve, terms)):
            return
        looks = asset.looks
        asset.has_edge = looks[0].has_edge or looks[1].has_edge
        if not (was_of_interest or asset.has_edge):
            return
        # The side without an edge first, so that a flip closes before it opens.
        is_first_open = looks[0].has_edge and not looks[1].has_edge
        for seen in reversed(looks) if is_first_open else looks:
            if seen.has_edge or asset.windows[seen.direction].needs_sample(state.now_ns, source):
                self._follow(asset, seen, source, effects)

    def _follow(self, asset: AssetState, seen: Look, source: Source, effects: list[Effect]) -> None:
        tracker, settings = asset.windows[seen.direction], asset.settings
        assert settings is not None
        row, found, sized = tracker.row, None, None
        anchor = asset.anchors.pop(seen.direction, None)
        if seen.has_edge:
            scene = scene_of(self._state, asset, seen.direction)
            # A new window must be worth opening; one that is there is followed to its end.
            least_usd = float(settings.min_profit_usd) * (_FOLLOWED if row is not None else 1.0)
            found = find_size(scene, seen, least_usd=least_usd)
            if (
                anchor is not None
                and found is not None
                and source != "config"
                and self._stands(asset, seen, anchor, found)
            ):
                asset.anchors[seen.direction] = anchor
                return
            if found is not None:
                sized = self._priced(asset, scene, seen, found)
                if sized is None and asset.quote_refusal not in OF_THE_AMOUNT:
                    sized = self._sized_by_route(asset, seen.direction)
        is_decided = self._track(asset, seen.direction, sized, source, effects)
        if is_decided and sized is not None and sized.route is None:
            self._anchor(asset, tracker, found, sized)

    def _track(
        self,
        asset: AssetState,
        direction: Direction,
        sized: Sized | None,
        source: Source,
        effects: list[Effect],
    ) -> bool:
        """Move the window by what was priced, and decide on it while it is open."""
        tracker, settings = asset.windows[direction], asset.settings
        assert settings is not None
        row = tracker.row
        changed = tracker.observe(
            snapshot_of(self._state, asset),
            _priced(sized),
            settings.min_profit_usd,
            source,
            own_trade=row is not None and row.window_id in asset.trades.open_windows,
        )
        if tracker.is_open and sized is not None:
            self._close_other(asset, direction, effects)
            self._decide(asset, tracker, sized, changed, effects)
            return True
        if changed is not None:
            effects.append(self.note_of_end(asset, changed))
        return False

    # ---- where the pool has no quote --------------------------------------------------

    def evaluate_routes(self, asset: AssetState, source: Source, effects: list[Effect]) -> bool:
        """Decide by an aggregator's quotes while only the pool is at fault; False without any."""
        routes = {
            direction: route_in_force(asset, direction, self._state.now_ns)
            for direction in DIRECTIONS
        }
        if not any(routes.values()) or fault_beside_pool(self._state, asset):
            return False
        if asset.terms is None:
            rebuild_terms(self._state, asset)
        asset.look_away()
        asset.sized, asset.quote_refusal, asset.refusal = None, "", None
        asset.has_edge = False
        for direction in DIRECTIONS:
            sized = self._sized_by_route(asset, direction)
            if sized is not None or asset.windows[direction].row is not None:
                self._track(asset, direction, sized, source, effects)
        return True

    def _sized_by_route(self, asset: AssetState, direction: Direction) -> Sized | None:
        route = route_in_force(asset, direction, self._state.now_ns)
        if route is None:
            return None
        sized = priced_route(scene_of(self._state, asset, direction), route)
        if sized is not None:
            asset.sized = sized
            asset.has_edge |= sized.landed_value_usd > 0
        return sized

    def _anchor(
        self, asset: AssetState, tracker: WindowTracker, found: Found | None, sized: Sized
    ) -> None:
        """Remember what was decided at what price, for the ticks that change neither."""
        row, terms = tracker.row, asset.terms
        if row is not None and terms is not None and found is not None:
            asset.anchors[sized.direction] = Anchor(
                row.window_id, terms, found.worth_usd, sized, asset.refusal
            )

    def _close_other(self, asset: AssetState, direction: Direction, effects: list[Effect]) -> None:
        other = DIRECTIONS[1 - DIRECTIONS.index(direction)]
        row = asset.windows[other].close(self._state.now_ns, "flip")
        if row is not None:
            effects.append(self.note_of_end(asset, row))

    def _priced(self, asset: AssetState, scene: Scene, seen: Look, found: Found) -> Sized | None:
        answer = price_size(scene, seen, found)
        if isinstance(answer, QuoteRefused):
            asset.quote_refusal = answer.cause
            return None
        asset.sized = answer
        return answer

    def _stands(self, asset: AssetState, seen: Look, anchor: Anchor, found: Found) -> bool:
        """Whether this moment changes nothing about an open window but how long it lasted."""
        tracker, settings = asset.windows[seen.direction], asset.settings
        row, terms = tracker.row, asset.terms
        if row is None or not tracker.is_open:
            return False
        assert settings is not None
        assert terms is not None
        least_usd = float(settings.min_profit_usd)
        close_usd = least_usd * float(CLOSE_FRACTION)
        if not anchor.holds(row.window_id, terms, found.worth_usd, close_usd):
            return False
        if row.intents < settings.intents_per_window:
            asset.refusal = self._standing_refusal(asset, seen, anchor, found, least_usd)
            if asset.refusal is None:
                return False
        tracker.stand(snapshot_of(self._state, asset))
        asset.sized = anchor.sized
        return True

    def _standing_refusal(
        self, asset: AssetState, seen: Look, anchor: Anchor, found: Found, least_usd: float
    ) -> tuple[str, str, str] | None:
        """The refusal noted last, where it is certain to be repeated."""
        if anchor.refusal is None:
            return None
        verdict = check(
            msgspec.structs.replace(PROBE, gross_bps=seen.gross_bps),
            gate_state_of(self._state, asset, self._state.now_ns),
            self._state.limits_of(asset),
        )
        gate = anchor.refusal[0]
        if isinstance(verdict, Refused):
            is_same = verdict.gate == gate and gate in STATE_GATES
            return (verdict.gate, verdict.value, verdict.limit) if is_same else None
        is_certain = gate in VALUE_GATES and anchor.is_too_poor(found.worth_usd, least_usd)
        return anchor.refusal if is_certain else None

    # ---- the decision on an open window -----------------------------------------------

    def _decide(
        self,
        asset: AssetState,
        tracker: WindowTracker,
        sized: Sized,
        changed: WindowRow | None,
        effects: list[Effect],
    ) -> None:
        row = tracker.row
        settings = asset.settings
        assert row is not None
        assert settings is not None
        if row.intents >= settings.intents_per_window:
            # Decided already: what is still to tell is how the window goes on.
            if changed is not None:
                effects.append(self.note_of_end(asset, changed))
            return
        seen = gate_state_of(self._state, asset, self._state.now_ns, sized.route)
        verdict = check(candidate_of(asset, sized, row), seen, self._state.limits_of(asset))
        if isinstance(verdict, Refused):
            self._refuse(asset, tracker, sized.direction, verdict, changed, effects)
        else:
            self._fire(asset, tracker, sized, seen, effects)

    def _refuse(
        self,
        asset: AssetState,
        tracker: WindowTracker,
        direction: Direction,
        verdict: Refused,
        changed: WindowRow | None,
        effects: list[Effect],
    ) -> None:
        asset.refusal = (verdict.gate, verdict.value, verdict.limit)
        changed = tracker.note_block(verdict.gate) or changed
        assert tracker.row is not None
        said = Said(tracker.row.window_id, "refused", verdict.gate)
        if changed is None and asset.said.get(direction) == said:
            return
        asset.said[direction] = said
        # Stored rows are replaced by higher versions only: a new gate is a new version.
        row = changed or tracker.revise()
        effects.append(NoteWindow(row, "refused", verdict.gate, verdict.value, verdict.limit))

    def _fire(
        self,
        asset: AssetState,
        tracker: WindowTracker,
        sized: Sized,
        seen: GateState,
        effects: list[Effect],
    ) -> None:
        row = tracker.row
        assert row is not None
        intent = intent_of(self._state, asset, sized, row, seen)
        row = tracker.count_intent()
        is_stored_only = intent.mode == "observe"
        # What a model fills is not a window taken: capture counts live trades only.
        decision: Decision = "taken" if intent.mode == "live" else "stored"
        asset.said[sized.direction] = Said(row.window_id, decision, "")
        execute = Execute(intent)
        if not is_stored_only:
            asset.trades.start(intent.intent_key, row.window_id)
            taker = asset.terms.taker if asset.terms is not None else Decimal(0)
            most_swaps = swaps_of(asset.settings.max_hedges if asset.settings is not None else 0)
            reservations = self._state.reservations_of(intent.asset)
            reservations.hold(intent.intent_key, reservation_of(intent, taker, most_swaps))
            asset.count_use(execute)
            self._state.count_on_desk(intent)
        effects.append(execute)
        effects.append(NoteWindow(row, decision, "", "", ""))

    def note_of_end(self, asset: AssetState, row: WindowRow) -> NoteWindow:
        """Note a window that went on or ended, with what had been decided on it."""
        said = asset.said.get(row.direction)
        if said is not None and said.window_id == row.window_id:
            return NoteWindow(row, said.decision, said.gate, "", "")
        if row.intents:
            # Fired before a restart: the mode in force is the best witness left.
            is_stored = self._state.mode_of(asset.spec.asset) in ("observe", "paper")
            return NoteWindow(row, "stored" if is_stored else "taken", "", "", "")
        return NoteWindow(row, "refused" if row.blocked_by else "watched", row.blocked_by, "", "")


def _priced(sized: Sized | None) -> Priced | None:
    if sized is None:
        return None
    return Priced(
        value_usd=sized.landed_value_usd,
        pnl_usd=sized.pnl.expected,
        size_usd=sized.notional_usd,
        gross_bps=sized.gross_bps,
        net_bps=sized.net_bps,
        limited_by=sized.limited_by,
    )


def _signed_gap(looks: tuple[Look, ...]) -> float:
    """Positive where the book is dearer than the pool; 0 while the pool is inside the spread."""
    if looks[0].gross_bps > 0:
        return looks[0].gross_bps
    return -looks[1].gross_bps if looks[1].gross_bps > 0 else 0.0
