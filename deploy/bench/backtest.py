"""Measures how fast a recorded day is back-tested, and that the cost is linear in updates.

Records a seeded `normal` market of one asset as a tape (or takes one made before), then runs
one parameter set over a sixteenth, a quarter and the whole of it: engine, its shadow for the
counterfactual windows, paper executor and ledger. Prints a table; the floor is the same loop
with an engine that is never asked. Run from the repository's root:
    python deploy/bench/backtest.py [--hours 4] [--tape FILE]
Not a test: the figures are the machine's.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arbsite.clock import seeded_random
from trading.backtest.desk import BacktestDesk
from trading.backtest.parameters import setup_from
from trading.backtest.simulated import SimulatedMarket, opening_balances
from trading.backtest.source import Tape, clipped

SHARES = (1, 4, 16)


def tape_of(hours: float, path: Path | None) -> Tape:
    """Load a tape, or record one and keep it where asked."""
    if path is not None and path.exists():
        return Tape.load(path)
    print(f"recording {hours:g} h of the normal SOL market ...", file=sys.stderr)
    market = SimulatedMarket("normal", 7, hours * 60, assets=["SOL"])
    tape = Tape(market.name, market.specs, market.events())
    if path is not None:
        tape.save(path)
    return tape


def run(tape: Tape, to_ns: int) -> tuple[float, float, int, int]:
    """(seconds of the back-test, seconds of the bare loop, events, trades)."""
    events = list(clipped(tape.events(), None, to_ns))
    kraken, solana = opening_balances()
    setup = setup_from({}, tape.specs, kraken=kraken, solana=solana)
    desk = BacktestDesk(tape.specs, setup, lambda name: seeded_random(f"1/{name}"))
    gc.collect()
    gc.freeze()
    begun = time.perf_counter()
    for event in events:
        desk.handle(event)
    desk.finish()
    took = time.perf_counter() - begun
    begun = time.perf_counter()
    for event in events:
        desk.paper.next_due_ns  # noqa: B018
        event.recv_ns  # noqa: B018
    return took, time.perf_counter() - begun, len(events), len(desk.trades)


def main() -> None:
    """Record, run each share, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=4.0, help="length of the recording")
    parser.add_argument("--tape", type=Path, help="keep the recording here, or reuse it")
    options = parser.parse_args()
    tape = tape_of(options.hours, options.tape)
    first_ns, last_ns = tape.span_ns
    print(f"{tape.name}: {len(tape)} updates, {tape.digest()[:12]}")
    print(f"{'updates':>10} {'market h':>9} {'seconds':>8} {'us/update':>10} {'x real time':>12}"
          f" {'x floor':>8} {'trades':>7}")  # fmt: skip
    for share in SHARES:
        to_ns = first_ns + (last_ns - first_ns) * share // max(SHARES) + 1
        took, floor, count, trades = run(tape, to_ns)
        market_s = (to_ns - first_ns) / 1e9
        print(
            f"{count:10} {market_s / 3600:9.2f} {took:8.2f} {took / count * 1e6:10.1f} "
            f"{market_s / took:12.0f} {took / floor:8.0f} {trades:7}"
        )


if __name__ == "__main__":
    main()
