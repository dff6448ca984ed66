"""The stage of one contestant process: frames from a file, then timed turns on request.

A contestant's script hands `serve` a function that takes a list of frames and returns how
many of them it found bad. The bench writes a line `START STOP` and reads one JSON line back,
so that the contestants take turns and a busy machine is busy for all of them.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Turn = Callable[[list[bytes]], int]


def serve(turn: Turn, version: str, prepare: Callable[[bytes], bytes] | None = None) -> None:
    """Load the frames (each through `prepare`, untimed), then run turns until the input ends."""
    frames = Path(sys.argv[1]).read_bytes().splitlines()
    if prepare is not None:
        frames = [prepare(frame) for frame in frames]
    gc.collect()
    gc.freeze()
    answer({"version": version, "frames": len(frames)})
    for line in sys.stdin:
        start, stop = (int(word) for word in line.split())
        share = frames[start:stop]
        # Processor time: all of them compute only, and others may share the cores.
        began = time.process_time_ns()
        bad = turn(share)
        answer({"took_ns": time.process_time_ns() - began, "bad": bad})


def answer(fields: dict[str, object]) -> None:
    """Write one JSON line at once."""
    print(json.dumps(fields), flush=True)
