"""Measures the Kraken order book against its floor and its peers, in turns on one machine.

From frame bytes to a book that is applied, truncated and verified. Every contestant is a
process of its own that gets the same frames; they take turns on short shares of them and on
one processor, so that a busy moment is busy for all (two processors of a virtual machine need
not be equally fast), and every figure is the median over the shares of the ratio within a
share. Run from the repository's root:

    .venv/bin/python deploy/bench/kraken_book.py [--frames 200000] [--rooms FOLDER]

Peers come from PyPI into environments of the bench's own below FOLDER (temporary without
one); the versions are pinned in deploy/bench/peers/. cryptofeed takes part when a
python3.13 is on PATH, against this product on that same interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import kraken_frames
from peer_rooms import HERE, PeerMissing, add_hummingbot, make_room

ROOT = Path(__file__).resolve().parents[2]
SHARE = 5_000
_NS_PER_US = 1_000


class Contestant(NamedTuple):
    """One process on the stage; `group` holds those on one interpreter together."""

    name: str
    group: str
    process: subprocess.Popen[str]
    version: str
    took_ns: list[int]
    bad: list[int]


def enter(name: str, group: str, python: Path | str, script: str, *words: str) -> Contestant:
    """Start a contestant and wait until it has read the frames; PeerMissing if it cannot."""
    process = subprocess.Popen(
        [str(python), str(HERE / script), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    greeting = process.stdout.readline()
    if not greeting:
        raise PeerMissing((process.stderr.read().strip().splitlines() or ["it died"])[-1])
    return Contestant(name, group, process, json.loads(greeting)["version"], [], [])


def take_turn(contestant: Contestant, start: int, stop: int) -> None:
    """Let it work on one share of the frames."""
    assert contestant.process.stdin is not None
    assert contestant.process.stdout is not None
    contestant.process.stdin.write(f"{start} {stop}\n")
    contestant.process.stdin.flush()
    result = json.loads(contestant.process.stdout.readline())
    contestant.took_ns.append(result["took_ns"])
    contestant.bad.append(result["bad"])


def main_stage(frames: str, rooms: Path) -> list[Contestant]:
    """Everybody who could come."""
    own = sys.executable
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    cast: list[Contestant] = [
        enter("floor: msgspec typed, number text kept", "main", own, "floor.py", frames, "raw"),
        enter("floor: msgspec typed, floats", "main", own, "floor.py", frames, "float"),
        enter("Spreadline book", "main", own, "ours.py", frames, "book"),
        enter("Spreadline feed, event published", "main", own, "ours.py", frames, "feed"),
    ]

    def sdk() -> list[Contestant]:
        room = make_room(rooms, version, "requirements.txt")
        return [enter("python-kraken-sdk, checksum", "main", room, "kraken_sdk.py", frames)]

    def hummingbot() -> list[Contestant]:
        room = make_room(rooms, version, "requirements.txt")
        add_hummingbot(room)
        return [enter("hummingbot, no checksum", "main", room, "hummingbot_book.py", frames)]

    def cryptofeed() -> list[Contestant]:
        room = make_room(rooms, "python3.13", "requirements-313.txt")
        return [
            enter("cryptofeed, checksum (3.13)", "3.13", room, "cryptofeed_book.py", frames),
            enter("Spreadline book (3.13)", "3.13", room, "ours.py", frames, "book"),
            enter("Spreadline feed (3.13)", "3.13", room, "ours.py", frames, "feed"),
            enter("floor (3.13)", "3.13", room, "floor.py", frames, "raw"),
        ]

    invite: dict[str, Callable[[], list[Contestant]]] = {
        "python-kraken-sdk": sdk,
        "hummingbot": hummingbot,
        "cryptofeed": cryptofeed,
    }
    for name, peers in invite.items():
        try:
            cast += peers()
        except PeerMissing as missing:
            print(f"without {name}: {missing}", flush=True)
    return cast


def ratio(one: Contestant, other: Contestant) -> float:
    """Median over the shares of how many times longer `one` took than `other`."""
    pairs = zip(one.took_ns, other.took_ns, strict=True)
    return statistics.median(a / b for a, b in pairs)


def table(cast: list[Contestant]) -> str:
    """The figures, one contestant a line."""
    lines = [
        "| contestant | version | µs/frame | frames/s | × floor | × our book | bad frames |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in cast:
        group = [other for other in cast if other.group == one.group]
        floor = next(other for other in group if other.name.startswith("floor"))
        book = next(other for other in group if other.name.startswith("Spreadline book"))
        us = statistics.median(one.took_ns) / SHARE / _NS_PER_US
        lines.append(
            f"| {one.name} | {one.version} | {us:.2f} | {1e6 / us:,.0f} |"
            f" {ratio(one, floor):.2f} | {ratio(one, book):.2f} | {sum(one.bad)} |"
        )
    return "\n".join(lines)


def stay_on_one_processor() -> None:
    """Keep this process and those it starts on one processor, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def play(cast: list[Contestant], count: int) -> None:
    """Turns in rotating order until every share is done."""
    for number, start in enumerate(range(0, count, SHARE)):
        at = number % len(cast)
        for contestant in cast[at:] + cast[:at]:
            take_turn(contestant, start, start + SHARE)
        print(f"\r{start + SHARE:,} of {count:,} frames", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def main() -> None:
    """Write the frames, gather the contestants, let them play, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=200_000, help="how many (default 200000)")
    parser.add_argument("--rooms", type=Path, help="where the peers' environments are kept")
    options = parser.parse_args()
    count = max(1, options.frames // SHARE) * SHARE
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "frames.ndjson"
        with path.open("wb") as file:
            file.writelines(frame + b"\n" for frame in kraken_frames.frames(count))
        rooms = options.rooms or Path(scratch) / "rooms"
        rooms.mkdir(parents=True, exist_ok=True)
        stay_on_one_processor()
        cast = main_stage(str(path), rooms.resolve())
        try:
            play(cast, count)
        finally:
            for contestant in cast:
                contestant.process.kill()
                contestant.process.wait()
        print(table(cast))


if __name__ == "__main__":
    main()
