"""Measures how long the durable intent takes: the one write that is awaited before an order.

Starts a private PostgreSQL with its durable settings (fsync on, synchronous_commit on),
records intents with their window and signed bytes through the engine's own store, begun and
completed at once (a desk signs in between, and waits for less), and prints
two JSON lines: one intent after the other, and one every 20 ms. The second is what a desk
meets: its processes have slept, and nothing of the path is in the processor's caches. As on a
desk, the bench has a processor to itself and all are kept awake, where this user may ask for that.
Run from the repository's root:  python deploy/bench/intent_commit.py [count]
Not a test: the figures are the machine's, and its disk's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import uvloop

from deploy.bench.database import own_database
from deploy.bench.host import leave_a_processor, may_stay_awake, take
from trading.process.awake import processors_awake

WARM_UP = 30
PACES = {"one after the other": 0.0, "every 20 ms": 0.02}


def percentile(sorted_ms: list[float], share: float) -> float:
    """The value below which `share` of the measurements lie (nearest rank)."""
    return sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))]


async def measure(url: str, count: int) -> list[dict[str, Any]]:
    """Record `WARM_UP + count` intents at each pace; figures of the last `count`, in ms."""
    from arbsite.clock import SystemClock
    from trading.storage.lease import Lease
    from trading.storage.store import TradeStore

    lease = Lease(url, shard="main", holder="bench")
    store = TradeStore(url, shard="main", clock=SystemClock())
    store.epoch = await lease.acquire()
    await store.open()
    try:
        found = [
            figures(pace, await record(store, WARM_UP + count, prefix, pause_s))
            for prefix, (pace, pause_s) in enumerate(PACES.items())
        ]
        async with store.connection() as conn:
            rows = await conn.execute(
                "SELECT name, setting FROM pg_settings"
                " WHERE name IN ('fsync', 'synchronous_commit', 'server_version')"
            )
            server = {row["name"]: row["setting"] async for row in rows}
    finally:
        await store.close()
        await lease.release()
    return [each | server for each in found]


async def record(store: Any, count: int, prefix: int, pause_s: float) -> list[float]:
    """Record intents and end their trades, so that each finds an idle desk; ms each."""
    from arbsite.clock import uuid7
    from trading.effects import NoteWindow
    from trading.tests.intents import make_intent, make_settings, make_window, planned

    took_ms = []
    for number in range(prefix * count, (prefix + 1) * count):
        intent = make_intent(number)
        attempts = planned(intent)
        attempts[1].raw_tx = bytes(560)
        window = NoteWindow(make_window(intent.window_id), "taken", "", "", "")
        await asyncio.sleep(pause_s)
        start_ns = time.perf_counter_ns()
        store.begin_intent(intent, window)
        verdict = await store.record_intent(
            intent, make_settings(), trade_id=uuid7(), attempts=attempts, window=window
        )
        took_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        if verdict != "recorded":
            raise SystemExit(f"intent {number} was not recorded: {verdict}")
        async with store.connection() as conn:
            await conn.execute(
                "UPDATE trading_trade SET is_settled = true, state = 'closed' WHERE NOT is_settled"
            )
    return took_ms[WARM_UP:]


def figures(pace: str, took_ms: list[float]) -> dict[str, Any]:
    """Percentiles of one pace."""
    kept = sorted(took_ms)
    found = {f"p{round(share * 100)}_ms": percentile(kept, share) for share in (0.5, 0.95, 0.99)}
    return {
        "bench": "intent_commit",
        "pace": pace,
        "count": len(kept),
        **{name: round(value, 3) for name, value in found.items()},
        "max_ms": round(kept[-1], 3),
    }


def main() -> None:
    """Bring up the server, make the tables, measure, clean up."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    own = leave_a_processor()
    awake = processors_awake() if may_stay_awake() else nullcontext()
    with own_database("SOL") as url, awake:
        take(own)
        for line in uvloop.run(measure(url, count)):
            print(json.dumps(line))


if __name__ == "__main__":
    main()
