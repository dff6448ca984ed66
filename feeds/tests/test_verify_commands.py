"""`verify_book` and `verify_quotes` as an operator runs them: exit codes, last line, faults."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from feeds import golden

KRAKEN = Path("kraken") / "book_btcusd_d10_20230730.ndjson"
BTC_SHAPE = ["--price-precision", "1", "--qty-precision", "8", "--depth", "10"]


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, last line) of a command."""
    out = io.StringIO()
    code = 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, json.loads(out.getvalue().splitlines()[-1])


def counts(frames: int, verified: int) -> dict[str, int]:
    """The last line of verify_book."""
    return {"frames": frames, "verified": verified, "mismatched": frames - verified}


def written(path: Path, lines: list[bytes]) -> str:
    """A recording of these lines."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def test_a_real_session_verifies(shared_data: Path) -> None:
    assert run("verify_book", str(shared_data / KRAKEN), *BTC_SHAPE) == (0, counts(510, 510))


def test_the_wrong_depth_shows(shared_data: Path) -> None:
    wrong = [*BTC_SHAPE[:-1], "25"]
    assert run("verify_book", str(shared_data / KRAKEN), *wrong) == (1, counts(510, 60))


def test_a_compressed_session_verifies(shared_data: Path, tmp_path: Path) -> None:
    packed = tmp_path / "session.ndjson.gz"
    packed.write_bytes(gzip.compress((shared_data / KRAKEN).read_bytes()))
    assert run("verify_book", str(packed), *BTC_SHAPE) == (0, counts(510, 510))


def test_other_frames_and_blank_lines_are_ignored(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = (shared_data / KRAKEN).read_bytes().splitlines()
    others = [
        b'{"channel":"heartbeat"}',
        b"",
        b'{"channel":"status","type":"update","data":[{"system":"online"}]}',
        b'{"method":"subscribe","result":{"channel":"book"},"success":true}',
        b"[1,2]",
        b"  ",
    ]
    file = written(tmp_path / "mixed.ndjson", [*others, *session, *others])
    assert run("verify_book", file, *BTC_SHAPE) == (0, counts(510, 510))
    call_command("verify_book", file, *BTC_SHAPE)
    assert "8 other frames ignored" in capsys.readouterr().out


def test_after_a_mismatch_everything_up_to_the_next_snapshot_counts(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = (shared_data / KRAKEN).read_bytes().splitlines()
    spoiled = session[:]
    spoiled[-1] = spoiled[-1].replace(b"2438878880", b"2438868880")
    assert spoiled[-1] != session[-1]
    file = written(tmp_path / "spoiled.ndjson", spoiled)
    assert run("verify_book", file, *BTC_SHAPE) == (1, counts(510, 509))
    assert "line 510: BTC/USD: checksum 2438868880 expected" in capsys.readouterr().err
    lost = written(tmp_path / "lost.ndjson", session[:5] + session[6:20] + session[:3])
    assert run("verify_book", lost, *BTC_SHAPE) == (1, counts(22, 5 + 3))


def test_symbols_do_not_disturb_each_other(shared_data: Path, tmp_path: Path) -> None:
    session = (shared_data / KRAKEN).read_bytes().splitlines()[:20]
    other = [line.replace(b"BTC/USD", b"XBT/EUR") for line in session]
    other[4] = other[4].replace(b'"checksum":', b'"checksum":1')
    mixed = [line for pair in zip(session, other, strict=True) for line in pair]
    file = written(tmp_path / "two.ndjson", mixed)
    assert run("verify_book", file, *BTC_SHAPE) == (1, counts(40, 20 + 4))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"channel":"book","type":"update","data":[{"symbol"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD"}]}', "not a book frame"),
        (b'{"channel":"book","type":"update","data":{}}', "not a book frame"),
        (b'{"channel":"book","type":"update"}', "not a book frame"),
        (b'{"channel":"book","type":7,"data":[{"symbol":"A","checksum":1}]}', "not a book frame"),
        (
            (
                b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","checksum":1,'
                b'"bids":[{"price":1e5,"qty":1.0}]}]}'
            ),
            "not an unsigned decimal",
        ),
        (
            (
                b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","checksum":1,'
                b'"bids":[{"price":"5.0","qty":1.0}]}]}'
            ),
            "not an unsigned decimal",
        ),
    ],
)
def test_a_malformed_line_counts_and_says_why(
    line: bytes, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "malformed.ndjson", [line])
    assert run("verify_book", file, *BTC_SHAPE) == (1, counts(1, 0))
    assert f"line 1: {text}" in capsys.readouterr().err.replace("BTC/USD: ", "")


@pytest.mark.parametrize("command", ["verify_book", "verify_quotes"])
def test_an_unreadable_file_is_one_sentence_and_code_two(command: str, tmp_path: Path) -> None:
    shape = BTC_SHAPE if command == "verify_book" else []
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b"x" * 1000)[:-12])
    not_gzip = tmp_path / "plain.gz"
    not_gzip.write_bytes(b"{}")
    for path in (tmp_path / "absent", tmp_path, broken, not_gzip):
        with pytest.raises(CommandError) as caught:
            call_command(command, str(path), *shape)
        assert caught.value.returncode == 2
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("golden_whirlpool.jsonl", {"rows": 420, "exact": 413, "refused_as_chain": 7}),
        ("golden_cpmm.jsonl", {"rows": 220, "exact": 190, "refused_as_chain": 30}),
    ],
)
def test_all_golden_rows_are_right(shared_data: Path, name: str, expected: dict[str, int]) -> None:
    found = run("verify_quotes", str(shared_data / "solana" / name))
    assert found == (0, {**expected, "wrong": []})


def test_wrong_rows_are_named(shared_data: Path, tmp_path: Path) -> None:
    clmm_rows = (shared_data / "solana" / "golden_whirlpool.jsonl").read_bytes().splitlines()[:3]
    cpmm_rows = (shared_data / "solana" / "golden_cpmm.jsonl").read_bytes().splitlines()[:2]
    spoiled = json.loads(clmm_rows[1])
    spoiled["onchain"]["amount_out"] = str(int(spoiled["onchain"]["amount_out"]) + 1)
    lines = [clmm_rows[0], json.dumps(spoiled).encode(), *cpmm_rows, b"{", b'{"id":"odd"}', b"[]"]
    file = written(tmp_path / "rows.jsonl", lines)
    assert run("verify_quotes", file) == (
        1,
        {
            "rows": 7,
            "exact": 3,
            "refused_as_chain": 0,
            "wrong": [spoiled["id"], "line 5", "odd", "line 7"],
        },
    )


def test_the_check_log_shows_the_first_faults_and_progress_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        log = golden.CheckLog(stream)
        for number in range(1, 31):
            log.note(f"fault {number}")
        log.progress(4_000)
        log.finish()
    assert plain.getvalue().splitlines()[-2:] == ["fault 20", "... and 10 more"]
    assert "4000 lines" in terminal.getvalue()
