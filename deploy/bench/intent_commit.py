"""Measures how long the durable intent takes: the one write that is awaited before an order.

Starts a private PostgreSQL with its durable settings (fsync on, synchronous_commit on),
records intents one after another through the engine's own store, and prints one JSON line.
Run from the repository's root:  python deploy/bench/intent_commit.py [count]
Not a test: the figures are the machine's, and its disk's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from deploy.bench.database import own_database

WARM_UP = 30


def percentile(sorted_ms: list[float], share: float) -> float:
    """The value below which `share` of the measurements lie (nearest rank)."""
    return sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))]


async def measure(url: str, count: int) -> dict[str, Any]:
    """Record `WARM_UP + count` intents; figures of the last `count`, in ms."""
    from arbsite.clock import SystemClock, uuid7
    from trading.lease import Lease
    from trading.store import TradeStore
    from trading.tests.intents import make_intent, make_settings, planned

    clock = SystemClock()
    lease = Lease(url, shard="main", holder="bench")
    store = TradeStore(url, shard="main", clock=clock)
    store.epoch = await lease.acquire()
    await store.open()
    took_ms = []
    try:
        for number in range(WARM_UP + count):
            # A direction of its own: nothing but the commit is waited for.
            intent = make_intent(number, direction=f"direction {number}")
            attempts = planned(intent)
            start_ns = clock.monotonic_ns()
            verdict = await store.record_intent(
                intent, make_settings(), trade_id=uuid7(), attempts=attempts
            )
            took_ms.append((clock.monotonic_ns() - start_ns) / 1e6)
            if verdict != "recorded":
                raise SystemExit(f"intent {number} was not recorded: {verdict}")
        async with store.connection() as conn:
            rows = await conn.execute(
                "SELECT name, setting FROM pg_settings"
                " WHERE name IN ('fsync', 'synchronous_commit', 'server_version')"
            )
            server = {row["name"]: row["setting"] async for row in rows}
    finally:
        await store.close()
        await lease.release()
    kept = sorted(took_ms[WARM_UP:])
    figures = {f"p{round(share * 100)}_ms": percentile(kept, share) for share in (0.5, 0.95, 0.99)}
    return {
        "bench": "intent_commit",
        "count": count,
        **{name: round(value, 3) for name, value in figures.items()},
        "max_ms": round(kept[-1], 3),
        **server,
    }


def main() -> None:
    """Bring up the server, make the tables, measure, clean up."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with own_database("SOL") as url:
        print(json.dumps(asyncio.run(measure(url, count))))


if __name__ == "__main__":
    main()
