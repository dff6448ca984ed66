"""Does what we wrote down equal what really happened? Ours against the simulator's truth.

Called by `manage.py audit_run` and `manage.py figures`. Exact only while nothing is being
executed: pause and settle first. Not here: the arithmetic (`profiles`).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from arbsite.clock import SystemClock, uuid7
from arbsite.errors import DomainError
from feeds import assembly
from reports import selectors
from reports.profiles import compare_ledgers, repeated
from risk import services as risk
from trading.models import Trade

POLL_S = 0.5
CLOCK = SystemClock()


def pause_and_wait(timeout_s: float) -> None:
    """Pause the engine and wait until every trade is booked.

    Raises DomainError when some are not in time; the engine stays paused then.
    """
    risk.pause("*", user="audit", key=str(uuid7()), reason="audit of a run")
    deadline_ns = CLOCK.monotonic_ns() + round(timeout_s * 1e9)
    while Trade.objects.filter(state__in=["open", "hedging"]).exists():
        if CLOCK.monotonic_ns() > deadline_ns:
            raise DomainError(
                "Some trades did not finish in time; the engine stays paused. "
                "Look at /v1/trades, then resume from the console.",
                code="unfinished",
            )
        time.sleep(POLL_S)


def resume() -> None:
    """Let the engine trade again; raises DomainError when it may not."""
    risk.resume("*", user="audit", key=str(uuid7()), reason="audit finished")


def audit(truth_file: Path) -> dict[str, Any]:
    """Counts, duplicates and differences; `ok` when there is nothing to explain."""
    accounts = {assembly.kraken_credentials().key, str(assembly.wallet().pubkey())}
    truth = selectors.truth_picture(truth_file, accounts)
    compared = compare_ledgers(
        selectors.our_movements(),
        truth.movements,
        in_flight=selectors.unbooked_references(),
    )
    duplicate_orders = repeated(truth.client_ids)
    tries = selectors.tries_per_window()
    refired = {window: count for window, count in tries.items() if count > 1}
    return {
        **selectors.trade_counts(),
        "exec_try": sum(tries.values()),
        "duplicate_exec_try": len(refired),
        "venue_orders": len(truth.client_ids),
        "duplicate_orders": len(duplicate_orders),
        "truth_movements": len(truth.movements),
        "ledger_minus_truth": {k: str(v) for k, v in compared.difference.items()},
        "wrong_references": list(compared.wrong_references),
        "missing_references": list(compared.missing_references),
        "in_flight": len(compared.in_flight_references),
        "ok": compared.is_equal and not duplicate_orders and not refired,
    }
