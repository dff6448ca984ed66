"""Journals: what was lived replays to the same bytes; what was changed is named field by field."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command

from arbsite.clock import ManualClock
from arbsite.errors import FeedCorrupt, SetupError
from feeds.recording.format import GAP, Record
from feeds.recording.segments import SegmentWriter, segments_in
from feeds.recording.writer import SpoolLimits
from trading.effects import Execute, NoteWindow
from trading.engine.engine_state import EngineModel
from trading.journal.format import (
    DECISION,
    DIGEST_BYTES,
    INPUT,
    DecisionChain,
    EngineSetup,
    canonical,
    decode_decision,
    decode_input,
    encode_input,
)
from trading.journal.keeper import EngineJournal, start_journal
from trading.journal.replaying import inputs_of, open_journal, replay, setup_of
from trading.tests.unit.builders import make_spec
from trading.tests.unit.desk import Market, setup_events


class Kept:
    """A unit-test market whose engine is journaled into a folder."""

    def __init__(self, folder: Path, *, writer_id: int = 1, **limits: Any) -> None:
        setup = EngineSetup({"SOL": make_spec()}, model=EngineModel(max_gap_bps=400.0))
        self.journal: EngineJournal = start_journal(
            setup,
            folder,
            clock=ManualClock(),
            software="test",
            profile="sim",
            writer_id=writer_id,
            limits=SpoolLimits(**limits),
        )
        engine = setup.build()
        self.handle = self.journal.around(engine)
        engine.handle = self.handle  # type: ignore[method-assign]
        self.market = Market(engine)

    def live_through(self, rounds: int) -> list[Any]:
        """Windows that open, fire, close; trades that close; the heartbeat between."""
        market = self.market
        for number in range(rounds):
            market.alive()
            market.book(15_003 + (60 if number % 3 else 0), lots=10**9 + number)
            for intent in market.intents[-1:]:
                market.close_trade(intent)
            market.pool(slot=1001 + number)
        return [e for e in market.effects if isinstance(e, Execute | NoteWindow)]


def lived(folder: Path, rounds: int = 30) -> tuple[str, list[Any]]:
    kept = Kept(folder)
    decisions = kept.live_through(rounds)
    kept.journal.close()
    return kept.journal.decisions_hash, decisions


def rewritten(folder: Path, change: Any) -> Path:
    """The journal of a folder with records changed, as a file of its own."""
    journal = open_journal(folder)
    path = folder / "rewritten" / "r-journal-00001.rec"
    path.parent.mkdir()
    writer = SegmentWriter(path, journal.header)
    for record in change(list(journal.records())):
        writer.add(record)
    writer.close()
    return path


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    code = 0
    try:
        call_command("replay", *arguments, stdout=out)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, out.getvalue()


def test_a_journal_replays_to_the_same_hash_and_the_same_decisions(tmp_path: Path) -> None:
    live_hash, decisions = lived(tmp_path)
    assert any(isinstance(each, Execute) for each in decisions)
    journal = open_journal(tmp_path)
    kept = [
        decode_decision(record.payload[DIGEST_BYTES:])
        for record in journal.records()
        if record.kind == DECISION
    ]
    assert kept == decisions
    report = replay(journal)
    assert report.is_equal
    assert report.is_whole
    assert report.live_hash == report.replayed_hash == live_hash
    assert report.live_decisions == report.replayed_decisions == len(decisions)
    assert setup_of(journal).model.max_gap_bps == 400.0


def test_every_kind_of_input_survives_its_encoding() -> None:
    market = Market()
    for event in [*setup_events(market.at_ns), market.engine.state.fees]:
        assert decode_input(encode_input(event)) == event


def test_a_changed_input_is_found_and_named_field_by_field(tmp_path: Path) -> None:
    lived(tmp_path)

    def spoil(records: list[Record]) -> Iterable[Record]:
        for number, record in enumerate(records):
            payload = record.payload
            following = records[number + 1] if number + 1 < len(records) else record
            if record.kind == INPUT and b"1000000001]" in payload and following.kind == DECISION:
                payload = payload.replace(b"1000000001]", b"1000700001]")
            yield record._replace(payload=payload)

    path = rewritten(tmp_path, spoil)
    code, text = run(str(path), "--diff")
    assert code == 1
    assert "DIFFERENT" in text
    assert "after input" in text
    assert "(BookUpdated)" in text
    assert "live" in text


def test_a_decision_that_one_side_lacks_is_shown_whole(tmp_path: Path) -> None:
    lived(tmp_path)

    def without_the_last(records: list[Record]) -> Iterable[Record]:
        last = max(n for n, record in enumerate(records) if record.kind == DECISION)
        return [record for number, record in enumerate(records) if number != last]

    path = rewritten(tmp_path, without_the_last)
    code, text = run(str(path))
    assert code == 1
    assert "only replayed: {" in text
    assert "DIFFERENT: 1 decisions" in text


def test_a_forged_decision_breaks_the_hash(tmp_path: Path) -> None:
    lived(tmp_path)

    def forge(records: list[Record]) -> Iterable[Record]:
        for record in records:
            changed = record.payload.replace(b"watched", b"refused").replace(b"taken", b"takes")
            yield record._replace(payload=changed) if record.kind == DECISION else record

    path = rewritten(tmp_path, forge)
    with pytest.raises(CommandError, match="breaks the journal's hash") as caught:
        run(str(path))
    assert caught.value.returncode == 2


def test_a_journal_of_a_killed_engine_replays_as_far_as_it_goes(tmp_path: Path) -> None:
    lived(tmp_path)

    def torn(records: list[Record]) -> Iterable[Record]:
        last = max(n for n, record in enumerate(records) if record.kind == DECISION)
        return records[:last]

    path = rewritten(tmp_path, torn)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"END\n")])
    report = replay(open_journal(path))
    assert report.is_equal
    assert not report.is_whole
    code, text = run(str(path))
    assert code == 0
    assert "no clean end" in text


def test_a_gap_ends_the_replay_and_is_said(tmp_path: Path) -> None:
    lived(tmp_path)

    def with_gap(records: list[Record]) -> Iterable[Record]:
        half = next(n for n in range(len(records) // 2, len(records)) if records[n].kind == INPUT)
        gap = Record(GAP, 0, records[half].at_ns, b"17")
        return [*records[:half], gap, *records[half + 9 :]]

    path = rewritten(tmp_path, with_gap)
    report = replay(open_journal(path))
    assert report.lost == 17
    assert report.is_equal
    assert report.inputs == len(list(inputs_of(open_journal(path))))
    assert "the writer lost 17 records" in run(str(path))[1]


def test_the_newest_run_of_a_folder_is_replayed_until_a_time(tmp_path: Path) -> None:
    lived(tmp_path, rounds=3)
    kept = Kept(tmp_path, writer_id=2)
    kept.live_through(10)
    kept.journal.close()
    assert len(segments_in(tmp_path)) == 2
    whole = replay(open_journal(tmp_path))
    assert whole.live_hash == kept.journal.decisions_hash
    code, text = run(str(tmp_path), "--until", "+0.5")
    assert code == 0
    assert "over 0.5 s" in text or "over 0.4 s" in text
    with pytest.raises(CommandError, match="give a UTC time"):
        run(str(tmp_path), "--until", "soon")


def test_a_run_over_several_files_replays_and_one_without_its_first_file_says_so(
    tmp_path: Path,
) -> None:
    kept = Kept(tmp_path, segment_bytes=2_000, block_bytes=1_000, drain_s=0.001)
    for _ in range(6):
        kept.live_through(10)
        kept.journal.spool._stopping.wait(0.02)
    kept.journal.close()
    files = segments_in(tmp_path)
    assert len(files) > 2
    report = replay(open_journal(files[-1]))
    assert report.is_equal
    assert report.replayed_hash == kept.journal.decisions_hash
    files[1].rename(tmp_path / "aside")
    with pytest.raises(FeedCorrupt, match=r"file 2 of run .* is missing"):
        open_journal(tmp_path)
    files[0].unlink()
    with pytest.raises(SetupError, match="first 2 files of journal"):
        open_journal(tmp_path)


def test_the_hash_is_of_canonical_bytes() -> None:
    """Key order and identity of objects do not matter; every value does."""
    market = Market()
    market.book(15_063)
    (execute,) = (e for e in market.effects if isinstance(e, Execute))
    turned = msgspec.structs.replace(
        execute,
        intent=msgspec.structs.replace(
            execute.intent, marks_usd=dict(reversed(execute.intent.marks_usd.items()))
        ),
    )
    assert list(turned.intent.marks_usd) != list(execute.intent.marks_usd)
    assert canonical(turned) == canonical(execute)
    assert decode_decision(canonical(execute)) == execute
    one, two = DecisionChain(), DecisionChain()
    one.add(b"a")
    one.add(b"b")
    two.add(b"b")
    two.add(b"a")
    assert one.hex != two.hex


def test_nothing_to_replay_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no journal") as caught:
        run(str(tmp_path))
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="--pin belongs to --day"):
        run("--pin")
