"""How long a start of the engine took, stage by stage, kept beside the start itself.

A start begins with the process (a standby's with the lease), is reconciled when every
unfinished trade is in a runner's hand and the fills are compared, and settled when the
venues have proven what became of those trades. Called by the engine's host; read by the
service levels. Not here: the restart rule (desk_link) and the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import psycopg

from arbsite.clock import Clock
from arbsite.logs import event_logger
from trading.records import TradeRecord
from trading.storage.store import TradeStore

log = event_logger(__name__)
LOOK_EVERY_S = 0.05

Stage = Literal[
    "loaded", "connected", "leased", "desk_read", "private_up", "balances_read", "reconciled",
    "fees_read", "market_up",
]  # fmt: skip
# In the order in which they end: imports and set-up, the database, the shard, settings and
# controls, both venues' private links, balances, fills compared; then what trading needs:
# taker fees, every book and pool usable.
STAGES: Final[tuple[Stage, ...]] = Stage.__args__  # type: ignore[attr-defined]
TRADING: Final[frozenset[Stage]] = frozenset({"reconciled", "fees_read", "market_up"})


def longest(stages: Mapping[str, float]) -> tuple[str, float] | None:
    """The stage up to `reconciled` that took longest, and its seconds; None without any.

    `stages`: when each one ended, in ms since the start began. What runs beside another
    stage is charged with what it needed beyond it.
    """
    found: tuple[str, float] | None = None
    before_ms = 0.0
    for name in STAGES[: STAGES.index("reconciled") + 1]:
        if name in stages:
            took_s = (stages[name] - before_ms) / 1e3
            before_ms = max(before_ms, stages[name])
            if found is None or took_s > found[1]:
                found = (name, took_s)
    return found


class StartRecord:
    """The times of one engine process's start. `began_ns`: when the process was made."""

    def __init__(self, store: TradeStore, clock: Clock, *, began_ns: int) -> None:
        self._store = store
        self._clock = clock
        self._began_ns = began_ns
        self._ended_ns: dict[Stage, int] = {}

    def reached(self, stage: Stage) -> None:
        """This stage has ended now."""
        self._ended_ns[stage] = self._clock.now_ns()

    def leased(self, *, after_standby: bool) -> None:
        """The shard is ours; a standby's start begins here, however long it waited."""
        if after_standby:
            self._began_ns = self._clock.now_ns()
            self._ended_ns.clear()
        self.reached("leased")

    @property
    def stages_ms(self) -> dict[str, float]:
        """When each stage ended, in ms since the start began."""
        return {
            stage: round((ended_ns - self._began_ns) / 1e6, 1)
            for stage, ended_ns in self._ended_ns.items()
        }

    async def follow(
        self, found: Sequence[TradeRecord], *, is_market_up: Callable[[], bool] = lambda: True
    ) -> None:
        """Keep the times; returns when the engine can trade and all trades found open are
        settled or parked.

        The stage `reconciled` must have been reached.
        """
        settled_ns: int | None = None
        kept: object = None
        while True:
            is_settled = all(trade.is_settled or trade.state == "operator" for trade in found)
            if settled_ns is None and is_settled:
                settled_ns = self._clock.now_ns() if found else self._ended_ns["reconciled"]
            if "market_up" not in self._ended_ns and is_market_up():
                self.reached("market_up")
            now = (settled_ns, self.stages_ms)
            if now != kept:
                kept = now
                await self._keep(settled_ns)
            if settled_ns is not None and self._ended_ns.keys() >= TRADING:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _keep(self, settled_ns: int | None) -> None:
        try:
            await self._store.keep_start(
                began_ns=self._began_ns,
                reconciled_ns=self._ended_ns["reconciled"],
                settled_ns=settled_ns,
                stages_ms=self.stages_ms,
            )
        except psycopg.OperationalError as error:
            # A start without its times is left out of the figures; nothing hangs on it.
            log.warning("start.not_kept", error=str(error)[:200])
