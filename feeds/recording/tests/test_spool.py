"""Recordings on disk: crashes, torn tails, rotation, retention, overload, a disk that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arbsite.errors import FeedCorrupt, SetupError
from feeds.recording.format import GAP, MAGIC
from feeds.recording.reader import Recording, Segment, open_runs
from feeds.recording.segments import is_being_written, repair, segments_in
from feeds.recording.tests.numbers import NUMBER, put_numbers, spool_in

REPOSITORY = Path(__file__).resolve().parents[3]

_WRITER = """
import itertools, sys, time
from pathlib import Path
from feeds.recording.tests.numbers import put_numbers, spool_in
spool = spool_in(Path(sys.argv[1]), block_bytes=4096, block_s=0.01, drain_s=0.005)
spool.start()
for first in itertools.count(0, 50):
    put_numbers(spool, range(first, first + 50), padding=100)
    print(spool.written, flush=True)
    time.sleep(0.002)
"""


def written(folder: Path, count: int, **limits) -> Path:
    """A folder with one closed run of `count` numbers."""
    spool = spool_in(folder, **limits)
    spool.start()
    put_numbers(spool, range(count))
    spool.close()
    return folder


def numbers_of(recording: Recording) -> list[int]:
    return [int(r.payload[:12]) for r in recording.records() if (r.kind, r.source) == (NUMBER, 0)]


def test_what_is_put_is_read_back_in_order_and_verifies(tmp_path: Path) -> None:
    (run,) = open_runs(written(tmp_path, 5000, block_bytes=2048), "market")
    run.verify()
    assert numbers_of(run) == list(range(5000))
    (segment,) = run.segments
    assert segment.is_whole
    assert segment.header.software == "test"
    assert segment.footer.records == 5000
    assert (segment.footer.first_ns, segment.footer.last_ns) == (0, 4999)
    assert len(segment.blocks) > 10


def test_kill_dash_nine_leaves_a_readable_file(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    # What the writer says is on disk must be there after it died.
    promised = 0
    while promised < 3000:
        promised = int(writer.stdout.readline())
    (path,) = segments_in(tmp_path)
    assert is_being_written(path)
    assert repair(path) is None
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait(timeout=10)
    writer.stdout.close()
    segment = Segment(path)
    assert not segment.is_whole
    found = [record.at_ns for record in segment.records()]
    assert found == list(range(len(found)))
    assert len(found) >= promised
    assert repair(path) is not None
    repaired = Segment(path)
    repaired.verify()
    assert repaired.footer.was_recovered
    assert [record.at_ns for record in repaired.records()] == found


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_torn_tail_is_recognised_cut_and_closed(tmp_path: Path, kept: float) -> None:
    (path,) = segments_in(written(tmp_path, 4000, block_bytes=1024))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    segment = Segment(path)
    assert not segment.is_whole
    found = [record.at_ns for record in segment.records()]
    assert 0 < len(found) < 4000
    assert repair(path) == segment.torn_bytes
    repaired = Segment(path)
    repaired.verify()
    assert [record.at_ns for record in repaired.records()] == found
    assert repair(path) is None


def test_a_file_torn_in_its_header_is_removed_and_a_stranger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(MAGIC + b"HEAD")
    (tmp_path / "b.rec").write_bytes(b"something else entirely")
    spool = spool_in(tmp_path)
    spool.start()
    spool.close()
    assert [path.name for path in segments_in(tmp_path)] == ["b.rec"]
    with pytest.raises(FeedCorrupt, match="not a recording"):
        Segment(tmp_path / "b.rec")


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    (path,) = segments_in(written(tmp_path, 4000, block_bytes=1024))
    whole = path.read_bytes()
    for at in (len(whole) // 2, 40, len(whole) - 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert repair(path) is None
        with pytest.raises(FeedCorrupt, match="damaged at byte"):
            Segment(path)
    path.write_bytes(whole[:-300] + bytes(300))
    assert Segment(path).torn_bytes >= 300


def test_files_rotate_each_begins_with_its_anchors_and_old_ones_go(tmp_path: Path) -> None:
    spool = spool_in(
        tmp_path, segment_bytes=20_000, block_bytes=4_000, folder_bytes=70_000, drain_s=0.001
    )
    spool.start()
    # Bytes that do not compress, so that sizes are what they look like.
    for number in range(2_000):
        spool.put(NUMBER, 0, number, f"{number:012d}".encode() + os.urandom(100), 112)
    spool.close()
    (run,) = open_runs(tmp_path, "market")
    run.verify()
    assert run.first_sequence > 1
    assert sum(path.stat().st_size for path in segments_in(tmp_path)) <= 70_000 + 30_000
    found = numbers_of(run)
    assert found == list(range(found[0], 2_000))
    for segment in run.segments:
        first, second = list(segment.records())[:2]
        assert first.source == 1
        assert int(first.payload[:12]) == int(second.payload[:12]) - 1


def test_an_overload_is_dropped_counted_and_marked(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, pending_bytes=1200)
    put_numbers(spool, range(300))
    # The thread has not begun: what fits is kept, the rest is counted, nothing waits.
    kept = 300 - spool.lost
    assert kept == 101
    spool.start()
    while spool.written < kept:
        spool._stopping.wait(0.01)
    put_numbers(spool, [300])
    spool.close()
    (run,) = open_runs(tmp_path, "market")
    records = list(run.records())
    assert [record.at_ns for record in records[:kept]] == list(range(101))
    assert (records[kept].kind, records[kept].payload) == (GAP, b"199")
    assert records[kept + 1].at_ns == 300
    assert spool.lost == 199


def test_a_disk_that_fails_costs_records_and_the_next_file_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    spool = spool_in(folder, retry_s=0.0, block_s=0.0)
    spool.start()
    put_numbers(spool, range(10))
    while spool.written < 10:
        spool._stopping.wait(0.01)
    real_write, left = os.write, [3]

    def failing_write(fd: int, data: bytes) -> int:
        if data[:4] == b"BLCK" and left[0]:
            left[0] -= 1
            raise OSError(28, "No space left on device")
        return real_write(fd, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("feeds.recording.segments.os.write", failing_write)
        put_numbers(spool, range(10, 20))
        while left[0]:
            put_numbers(spool, [99])
            spool._stopping.wait(0.01)
        spool._stopping.wait(0.1)
    put_numbers(spool, range(20, 30))
    spool.close()
    assert spool.failures == 3
    assert spool.discarded >= 10
    (run,) = open_runs(folder, "market")
    records = [r for r in run.records() if r.source == 0 and r.at_ns != 99]
    gaps = sum(int(r.payload) for r in records if r.kind == GAP)
    assert gaps == spool.discarded
    assert [r.at_ns for r in records if r.kind == NUMBER][-10:] == list(range(20, 30))


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot hold recordings"):
        spool_in(tmp_path / "file" / "folder").start()
    with pytest.raises(SetupError, match="There is no file"):
        open_runs(tmp_path / "absent.rec", "market")
    with pytest.raises(SetupError, match="no journal recording"):
        open_runs(written(tmp_path / "numbers", 3), "journal")
