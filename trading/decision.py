"""From a changed market to a decision: price both directions, keep windows, ask the gates.

Pure; driven by the engine, which owns the state this works on.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from arbsite.keys import intent_key
from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import QuoteRefused, Whirlpool
from feeds.market.spec import DIRECTIONS, Direction
from risk.gates import Candidate, GateState, Refused, check
from trading.anchor import PROBE, STATE_GATES, VALUE_GATES, Anchor
from trading.asset_state import AssetState, Decision, Said
from trading.engine_state import EngineState
from trading.evaluation import Found, Look, Scene, Sized, find_size, price_size
from trading.intent import (
    DecisionAges,
    Effect,
    Execute,
    FeesKnown,
    Intent,
    NoteWindow,
    WindowRow,
)
from trading.projection import reservation_of
from trading.scene import marks_usd, rebuild_terms, scene_of, snapshot_of
from trading.windows import CLOSE_FRACTION, Priced, Source, WindowTracker

_MS: Final = 1_000_000
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
        was_of_interest = asset.has_edge or asset.has_open_window
        if not (was_of_interest or asset.can_have_edge(book, curve, terms)):
            return
        looks = asset.looks
        asset.has_edge = looks[0].has_edge or looks[1].has_edge
        if not (was_of_interest or asset.has_edge):
            return
        # The side without an edge first, so that a flip closes before it opens.
        is_first_open = looks[0].has_edge and not looks[1].has_edge
        for seen in reversed(looks) if is_first_open else looks:
            if seen.has_edge or asset.windows[seen.direction].row is not None:
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
        row = tracker.observe(
            snapshot_of(self._state, asset),
            _priced(sized),
            settings.min_profit_usd,
            source,
            own_trade=row is not None and row.window_id in asset.trades.open_windows,
        )
        if tracker.is_open and sized is not None:
            self._close_other(asset, seen.direction, effects)
            self._decide(asset, tracker, sized, row, effects)
            self._anchor(asset, tracker, found, sized)
        elif row is not None:
            effects.append(self.note_of_end(asset, row))

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
            self.gate_state(asset, self._state.now_ns),
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
        verdict = check(
            self._candidate(asset, sized, row),
            self.gate_state(asset, self._state.now_ns),
            self._state.limits_of(asset),
        )
        if isinstance(verdict, Refused):
            self._refuse(asset, tracker, sized.direction, verdict, changed, effects)
        else:
            self._fire(asset, tracker, sized, effects)

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
        self, asset: AssetState, tracker: WindowTracker, sized: Sized, effects: list[Effect]
    ) -> None:
        row = tracker.row
        assert row is not None
        intent = self._intent(asset, sized, row)
        row = tracker.count_intent()
        is_stored_only = intent.mode == "observe"
        # What a model fills is not a window taken: capture counts live trades only.
        decision: Decision = "taken" if intent.mode == "live" else "stored"
        asset.said[sized.direction] = Said(row.window_id, decision, "")
        execute = Execute(intent)
        if not is_stored_only:
            asset.trades.start(intent.intent_key, row.window_id)
            taker = asset.terms.taker if asset.terms is not None else Decimal(0)
            reservations = self._state.reservations_of(intent.asset)
            reservations.hold(intent.intent_key, reservation_of(intent, taker))
            asset.count_use(execute)
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

    # ---- what the decision is made of -------------------------------------------------

    def gate_state(self, asset: AssetState, now_ns: int) -> GateState:
        """The state of the world as the gates want it, ages as of `now_ns`."""
        state, spec = self._state, asset.spec
        feeds, ready = state.feeds, state.ready
        curve = feeds.curves.get(spec.pool)
        mode = state.mode_of(spec.asset)
        holdings, used = state.reservations_of(spec.asset).holdings, asset.usage_of(mode)
        return GateState(
            mode=mode,
            is_known_mode=state.controls.is_known,
            is_enabled=asset.settings is not None and asset.settings.enabled,
            is_kraken_ready=ready is not None and ready.kraken,
            is_solana_ready=ready is not None and ready.solana,
            kraken_status=feeds.status_of("kraken"),
            solana_status=feeds.status_of("solana"),
            pair_status=feeds.pair_status.get(spec.cex_symbol),
            kraken_skew_ms=feeds.clock_skews_ms.get("kraken"),
            solana_skew_ms=feeds.clock_skews_ms.get("solana"),
            frame_age_ms=_age_ms(now_ns, feeds.proof_ns("kraken", spec.cex_symbol)),
            chain_age_ms=_age_ms(now_ns, feeds.proof_ns("solana", spec.pool)),
            book_fault=feeds.book_fault(spec.cex_symbol),
            ticker_fault=feeds.ticker_fault(spec.cex_symbol),
            pool_fault=feeds.pool_fault(spec.pool),
            slot_lag=feeds.slot.lag_slots if feeds.slot is not None else None,
            mark_fault="",
            depegs=tuple((name, feeds.depeg_bps(name)) for name in asset.quotes),
            mark_age_ms=self._mark_age_ms(asset, now_ns),
            fees_age_ms=_age_ms(now_ns, _fees_at_ns(state.fees, spec.cex_symbol)),
            balances_age_ms=_age_ms(now_ns, holdings.at_ns if holdings is not None else None),
            cooldown_left_ms=max(0, asset.cooldown_until_ns - now_ns) / _MS,
            busy_reason=asset.trades.busy_reason(
                feeds.books.get(spec.cex_symbol), curve.updated.slot if curve else None
            ),
            standing_basis=asset.basis.flag,
            used_notional_usd=used.notional_usd,
            used_loss_usd=used.loss_usd,
            used_trades=used.trades,
        )

    def _mark_age_ms(self, asset: AssetState, now_ns: int) -> float | None:
        """The oldest proof of the mark books this asset needs (a quiet book is not old)."""
        oldest_ns = now_ns
        for symbol in asset.mark_symbols:
            proof_ns = self._state.feeds.proof_ns("kraken", symbol)
            if proof_ns is None:
                return None
            oldest_ns = min(oldest_ns, proof_ns)
        return _age_ms(now_ns, oldest_ns)

    def _candidate(self, asset: AssetState, sized: Sized, row: WindowRow) -> Candidate:
        spec = asset.spec
        return Candidate(
            asset=spec.asset,
            size_lots=sized.capped_lots if sized.window_only else sized.quotes.lots,
            min_lots=spec.qty_min_lots,
            size_cost=sized.cex_cost,
            min_cost=Decimal(spec.cost_min),
            limited_by=sized.limited_by,
            notional_usd=sized.notional_usd,
            decision_value_usd=sized.pnl.decision_value,
            landed_value_usd=sized.landed_value_usd,
            p_land=sized.verdict.p_land_lower,
            gross_bps=sized.gross_bps,
            window_intents=row.intents,
            budget_refusal="" if sized.budget is not None else "the last level is out of reach",
        )

    def _intent(self, asset: AssetState, sized: Sized, row: WindowRow) -> Intent:
        state, spec, budget = self._state, asset.spec, sized.budget
        settings, book = asset.settings, self._state.feeds.books[asset.spec.cex_symbol]
        assert settings is not None
        assert budget is not None
        pool = state.feeds.curves[spec.pool]
        a_to_b = spec.sells_a(sized.direction)
        sells_on_cex = sized.direction == "buy_dex_sell_cex"
        return Intent(
            intent_key=intent_key(row.window_id, row.intents),
            window_id=row.window_id,
            ordinal=row.intents,
            asset=spec.asset,
            direction=sized.direction,
            mode=state.mode_of(spec.asset),
            spec=spec,
            qty_lots=sized.quotes.lots,
            base_raw=sized.quotes.base_raw,
            cex_side="sell" if sells_on_cex else "buy",
            cex_limit_ticks=budget.cex_limit_ticks,
            cex_expected_ticks=sized.quotes.cex_worst_ticks,
            dex_a_to_b=a_to_b,
            dex_exact_in=not sells_on_cex,
            dex_expected_quote_raw=sized.quotes.dex_quote_raw,
            dex_threshold_raw=budget.dex_threshold_raw,
            tick_array_starts=(
                arrays_for_swap(pool.state, a_to_b) if isinstance(pool.state, Whirlpool) else ()
            ),
            verdict=sized.verdict,
            pnl=sized.pnl,
            notional_usd=sized.notional_usd,
            min_pnl_usd=budget.min_pnl_usd,
            limited_by=sized.limited_by,
            gross_bps=sized.gross_bps,
            net_bps=sized.net_bps,
            marks_usd=marks_usd(state, asset),
            ages=self._ages(asset),
            book_checksum=book.checksum,
            book_venue_at_ns=book.venue_at_ns,
            pool_slot=pool.updated.slot,
            # The event that completed the decision: its receive time is the engine's now.
            detect_ns=state.now_ns,
            decided_ns=state.now_ns,
            config_version=settings.version,
            control_version=state.controls.version_of(spec.asset),
            cu_price_micro_lamports=sized.cu_price_micro_lamports,
            tip_lamports=sized.tip_lamports,
            order_deadline_ms=settings.order_deadline_ms,
            slippage_cap_bps=settings.slippage_cap_bps,
        )

    def _ages(self, asset: AssetState) -> DecisionAges:
        state, spec = self._state, asset.spec
        feeds, now_ns = state.feeds, state.now_ns
        holdings, fees = state.reservations_of(spec.asset).holdings, state.fees
        assert holdings is not None
        assert fees is not None
        return DecisionAges(
            frame_ms=_age_ms(now_ns, feeds.proof_ns("kraken", spec.cex_symbol)) or 0.0,
            book_ms=_age_ms(now_ns, feeds.books[spec.cex_symbol].recv_ns) or 0.0,
            pool_ms=_age_ms(now_ns, feeds.curves[spec.pool].updated.recv_ns) or 0.0,
            slot_lag=feeds.slot.lag_slots if feeds.slot is not None else 0,
            mark_ms=self._mark_age_ms(asset, now_ns) or 0.0,
            balances_ms=_age_ms(now_ns, holdings.at_ns) or 0.0,
            fees_ms=_age_ms(now_ns, fees.at_ns) or 0.0,
            clock_skew_ms=feeds.clock_skews_ms.get("kraken"),
        )


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


def _fees_at_ns(fees: FeesKnown | None, symbol: str) -> int | None:
    return fees.at_ns if fees is not None and symbol in fees.taker else None


def _age_ms(now_ns: int, at_ns: int | None) -> float | None:
    return None if at_ns is None else max(0, now_ns - at_ns) / _MS


def _signed_gap(looks: tuple[Look, ...]) -> float:
    """Positive where the book is dearer than the pool; 0 while the pool is inside the spread."""
    if looks[0].gross_bps > 0:
        return looks[0].gross_bps
    return -looks[1].gross_bps if looks[1].gross_bps > 0 else 0.0
