"""Poisoned data never becomes a trade, and clean data never a pause."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

from feeds.market.events import MarketEvent
from feeds.recording.poison import KINDS
from trading.journal.replaying import inputs_of, open_journal, replay
from trading.tests.integrity.poisoned import STREAMS, poisoned_run

MAX_FRAME_AGE_MS = 1_500
DISCONNECTED = {"feed stopped", "no endpoint is connected (cancelled)"}


def test_two_thousand_poisons_make_no_wrong_state_and_no_trade_on_one(tmp_path: Path) -> None:
    run = poisoned_run(tmp_path, seconds=220, share=0.12, seed=3)
    done = Counter((poison.stream, poison.kind) for poison in run.poisons)
    waits = run.seconds_to_notice()
    print(
        f"{len(run.poisons)} of {run.frames} frames poisoned; {len(run.fired)} trades fired;"
        f" books dropped {sum(run.book_faults.values())}x, pools {sum(run.pool_faults.values())}x;"
        f" books heard of again after p50 {waits[len(waits) // 2]:.2f} s, max {waits[-1]:.2f} s"
    )
    assert len(run.poisons) >= 2_000
    assert set(done) == {(stream, kind) for stream in STREAMS for kind in KINDS}
    # All that reached the desk was true at its venue time, to the unit.
    assert run.wrong_books == []
    assert run.wrong_pools == []
    assert run.book_faults["checksum mismatch"] > 200
    assert run.book_faults["malformed frame"] > 50
    assert run.solana["corrupt_accounts"] > 0
    # What is lost is noticed at the next frame: nothing decides on it beyond its age limit.
    assert len(run.fired) >= 20
    assert max(run.behind_ms(fired, levels=1) for fired in run.fired) < MAX_FRAME_AGE_MS
    assert max(fired.pool_slots_behind for fired in run.fired) <= 2
    assert run.stops == []
    # Whatever was damaged on its way, the journal gives back what the desk was told.
    journal = open_journal(tmp_path)
    told = [event for event in inputs_of(journal) if isinstance(event, get_args(MarketEvent))]
    assert told == run.events
    assert replay(journal).is_equal


def test_a_clean_run_has_no_false_pause(tmp_path: Path) -> None:
    run = poisoned_run(tmp_path, seconds=120, share=0.0, seed=3)
    assert run.poisons == []
    assert run.frames > 5_000
    false = {
        reason: times
        for reason, times in (run.book_faults + run.pool_faults).items()
        if reason not in DISCONNECTED
    }
    print(f"{run.frames} clean frames, {len(run.fired)} trades fired, false pauses: {false}")
    assert false == {}
    assert run.stops == []
    assert (run.wrong_books, run.wrong_pools) == ([], [])
    assert len(run.fired) >= 20
