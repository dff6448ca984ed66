"""Recordings verify through the commands: clean ones wholly, poisoned ones by their faults."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from feeds.market.events import BookUpdated, MarketEvent
from feeds.recording.format import GAP, Record
from feeds.recording.market import BOOK_ANCHOR, KRAKEN_FRAME, RPC_REPLY, SOLANA_FRAME, describe
from feeds.recording.reader import Recording, open_runs
from feeds.recording.segments import SegmentWriter, segments_in
from feeds.recording.tests.recorded import record_world, recorder_into


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds of a busy world over several files."""
    folder = tmp_path_factory.mktemp("recording")
    recorder = record_world(folder, 40.0, segment_bytes=40_000, block_bytes=16_000)
    assert recorder.spool.lost == recorder.spool.failures == 0
    return folder


def run(command: str, path: Path) -> tuple[int, dict[str, Any]]:
    """(exit code, last line) of a verify command."""
    out = io.StringIO()
    code = 0
    try:
        call_command(command, str(path), stdout=out)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, json.loads(out.getvalue().splitlines()[-1])


def only_run(folder: Path) -> Recording:
    (found,) = open_runs(folder, "market")
    return found


def poisoned(
    clean: Path, tmp_path: Path, change: Callable[[list[Record]], Iterable[Record]]
) -> Path:
    """One file with the clean recording's records, changed; without the inner anchors."""
    recording = only_run(clean)
    path = tmp_path / "poisoned.rec"
    writer = SegmentWriter(path, recording.header)
    records = [record for record in recording.records() if record.kind != BOOK_ANCHOR]
    for record in change(records):
        writer.add(record)
    writer.close()
    return path


def is_update(record: Record) -> bool:
    return record.kind == KRAKEN_FRAME and b'"book","type":"update"' in record.payload


def updates_of(records: list[Record]) -> list[int]:
    return [number for number, record in enumerate(records) if is_update(record)]


def test_a_clean_recording_verifies_to_the_last_frame(clean: Path) -> None:
    assert len(segments_in(clean)) > 2
    code, books = run("verify_book", clean)
    assert code == 0
    assert books["frames"] == books["verified"] > 500
    assert books["anchors"] > 0
    code, pools = run("verify_quotes", clean)
    assert code == 0
    assert pools["wrong"] == []
    assert pools["reads"] > 5
    assert pools["requoted"] > 30
    assert pools["requoted"] > 2 * pools["unexplained"]


def test_a_later_file_verifies_alone_by_its_anchors(clean: Path) -> None:
    for path in segments_in(clean)[1:]:
        code, books = run("verify_book", path)
        assert code == 0
        assert books["unanchored"] == 0
        assert books["verified"] == books["frames"] > 0
        assert books["anchors"] >= 5
        assert run("verify_quotes", path)[1]["notices"] > 0


def test_every_dropped_or_changed_update_is_found(clean: Path, tmp_path: Path) -> None:
    """One frame lost, or one digit changed, at seeded places: each shows as a mismatch."""
    rng = random.Random(5)
    records = [record for record in only_run(clean).records() if record.kind != BOOK_ANCHOR]
    places = [n for n in updates_of(records) if b'"qty":0.0' not in records[n].payload]
    for number in range(6):
        at = rng.choice(places[:-50])
        payload = records[at].payload
        is_drop = number % 2 == 0
        digits = payload.rpartition(b'"checksum":')[0]
        last = digits.rstrip(b"0,]}[abcdefghijklmnopqrstuvwxyz:\"' _")
        flipped = b"%d" % ((int(last[-1:]) + 1) % 10)
        changed = payload[: len(last) - 1] + flipped + payload[len(last) :]

        def change(
            found: list[Record], at: int = at, is_drop: bool = is_drop, changed: bytes = changed
        ) -> Iterable[Record]:
            rest = [] if is_drop else [found[at]._replace(payload=changed)]
            return [*found[:at], *rest, *found[at + 1 :]]

        folder = tmp_path / str(number)
        folder.mkdir()
        code, books = run("verify_book", poisoned(clean, folder, change))
        assert (code, books["mismatched"] > 0) == (1, True), (at, payload, changed)


def test_a_gap_is_not_a_mismatch_and_nothing_after_it_is_called_verified(
    clean: Path, tmp_path: Path
) -> None:
    def with_gap(records: list[Record]) -> Iterable[Record]:
        at = updates_of(records)[200]
        return [*records[:at], Record(GAP, 0, records[at].at_ns, b"3"), *records[at + 3 :]]

    code, books = run("verify_book", poisoned(clean, tmp_path, with_gap))
    assert code == 0
    assert books["gaps"] == 1
    assert books["unanchored"] > 0
    assert books["verified"] + books["unanchored"] == books["frames"]


def test_after_an_overload_the_books_that_stand_are_said_again(tmp_path: Path) -> None:
    description = describe([], ["SOL/USD"], [])
    recorder = recorder_into(tmp_path, description, pending_bytes=100, start=False)
    heard: list[MarketEvent] = []
    tell = recorder.around(heard.append)
    book = BookUpdated("SOL/USD", ((100, 5),), ((101, 7),), 2, 8, 99, 0, 3)
    for at_ns in range(20):
        recorder.kraken_frame(b"0123456789", at_ns)
        tell(book)
    assert recorder.spool.lost == 9
    recorder.spool.start()
    while recorder.spool._fields:
        recorder.spool._stopping.wait(0.01)
    for at_ns in (20, 21, 22):
        recorder.kraken_frame(b"later", at_ns)
        tell(book)
    recorder.close()
    kinds = [record.kind for record in only_run(tmp_path).records()]
    assert kinds == [KRAKEN_FRAME] * 11 + [GAP, KRAKEN_FRAME, BOOK_ANCHOR] + [KRAKEN_FRAME] * 2
    assert len(heard) == 23


def test_an_account_that_is_not_what_belongs_there_is_named(clean: Path, tmp_path: Path) -> None:
    def foreign(records: list[Record]) -> Iterable[Record]:
        for record in records:
            is_last_read = record.kind == RPC_REPLY and record.at_ns > records[-1].at_ns - 6 * 10**9
            payload = record.payload
            if is_last_read:
                payload = payload.replace(b'"owner":"', b'"owner":"X')
            yield record._replace(payload=payload)

    code, pools = run("verify_quotes", poisoned(clean, tmp_path, foreign))
    assert code == 1
    assert pools["wrong"]


def test_slots_that_run_backwards_are_named(clean: Path, tmp_path: Path) -> None:
    def rewound(records: list[Record]) -> Iterable[Record]:
        notices = [
            n
            for n, record in enumerate(records)
            if record.kind == SOLANA_FRAME and b"accountNotification" in record.payload
        ]
        at = notices[-1]
        slot = json.loads(records[at].payload)["params"]["result"]["context"]["slot"]
        old = records[at].payload.replace(str(slot).encode(), str(slot - 500).encode())
        return [*records, records[at]._replace(payload=old)]

    code, pools = run("verify_quotes", poisoned(clean, tmp_path, rewound))
    assert code == 1
    assert "back to" in pools["wrong"][0]


def test_a_spoiled_file_is_refused_and_plain_frames_need_their_precision(
    clean: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spoiled.rec"
    content = bytearray(segments_in(clean)[0].read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    (tmp_path / "plain.ndjson").write_text("{}")
    with pytest.raises(CommandError, match="is damaged at byte") as caught:
        call_command("verify_book", str(path))
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="need --price-precision"):
        call_command("verify_book", str(tmp_path / "plain.ndjson"))
    with pytest.raises(CommandError, match="not a recording"):
        (tmp_path / "odd.rec").write_bytes(b"x" * 100)
        call_command("verify_quotes", str(tmp_path / "odd.rec"))
