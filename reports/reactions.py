"""How fast the desk stops when told to, and how fast it is itself again after a restart.

Read from rows alone: commands, attempts and engine starts. Called by `service_levels`.
A command's own time is taken just before its commit, so what went out between the two
counts against us.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from uuid import UUID

import msgspec

from arbsite.clock import at_from_ns, ns_from_at
from reports.promises import Level, quantile
from risk.models import Command
from trading.models import Attempt, EngineStart, Resolution
from trading.storage.start_record import TRADING, longest

KILL_LIMIT_MS = 250
PAUSE_LIMIT_MS = 1_000
RESTART_LIMIT_S = 3
# What may open a scope again after each stop.
REOPENS = {"kill": {"reset"}, "pause": {"resume", "reset"}}
FOR_EVER_NS = 2**63 - 1
# A trade detected longer ago than this before the first stop sends nothing any more.
SLOWEST_NS = 3_600 * 10**9


class Stop(msgspec.Struct, frozen=True):
    """A kill or a pause: its scope, and from when to when it held."""

    action: str
    scope: str
    from_ns: int
    until_ns: int


class Send(msgspec.Struct, frozen=True):
    """One order or transaction that was handed to its venue."""

    trade: UUID
    asset: str
    leg: str
    at_ns: int


def levels(*, since_ns: int = 0) -> list[Level]:
    """The promises about stops and restarts."""
    stops = _stops(since_ns)
    sends = _sends(min((stop.from_ns for stop in stops), default=FOR_EVER_NS))
    ordered = _ordered(since_ns)
    kills = [last_send_ms(stop, sends, ordered) for stop in stops if stop.action == "kill"]
    pauses = [last_send_ms(stop, sends, ordered) for stop in stops if stop.action == "pause"]
    return [
        quantile("kill → last send p99", kills, 0.99, KILL_LIMIT_MS, "ms", _late(kills)),
        quantile("pause → last send p99", pauses, 0.99, PAUSE_LIMIT_MS, "ms", _late(pauses)),
        *_restarts(since_ns),
    ]


def last_send_ms(stop: Stop, sends: Sequence[Send], ordered: dict[UUID, list[int]]) -> float:
    """How long after a stop the last send (of `sends` in their order) went out, 0 when none did.

    Left out is what the mode allows: hedges in a pause, and after a kill those that a
    person ordered meanwhile (`ordered`: when persons ordered acts, by trade).
    """
    last_ns = stop.from_ns
    first = bisect_right(sends, stop.from_ns, key=lambda send: send.at_ns)
    for send in islice(sends, first, None):
        if send.at_ns >= stop.until_ns:
            break
        if stop.scope not in ("*", send.asset):
            continue
        is_by_person = any(
            stop.from_ns <= at_ns <= send.at_ns for at_ns in ordered.get(send.trade, ())
        )
        if send.leg == "hedge" and (stop.action == "pause" or is_by_person):
            continue
        last_ns = max(last_ns, send.at_ns)
    return (last_ns - stop.from_ns) / 1e6


def _late(values: Sequence[float]) -> str:
    """How many stops saw a send after them: the quantile alone would hide an idle desk."""
    return f" ({sum(1 for value in values if value)} saw one)"


def _stops(since_ns: int) -> list[Stop]:
    rows = list(
        Command.objects.filter(created_at__gte=at_from_ns(since_ns))
        .order_by("created_at")
        .values_list("action", "scope", "created_at")
    )
    found = []
    for place, (action, scope, at) in enumerate(rows):
        if action not in REOPENS:
            continue
        later = (
            ns_from_at(row_at)
            for row_action, row_scope, row_at in rows[place + 1 :]
            if row_scope == scope and row_action in REOPENS[action]
        )
        found.append(Stop(action, scope, ns_from_at(at), next(later, FOR_EVER_NS)))
    return found


def _sends(since_ns: int) -> list[Send]:
    """Every send since then, in order. First legs left at the trade's `wired_ns`."""
    rows = Attempt.objects.filter(
        sent_ns__isnull=False, trade__detect_ns__gte=since_ns - SLOWEST_NS
    )
    found: list[Send] = []
    for attempt in rows.select_related("trade").defer("raw_tx", "evidence"):
        trade, sent_ns = attempt.trade, attempt.sent_ns or 0
        if attempt.leg != "hedge":
            sent_ns = max(sent_ns, trade.wired_ns or 0)
        if sent_ns >= since_ns:
            found.append(Send(trade.id, trade.asset, attempt.leg, sent_ns))
    return sorted(found, key=lambda send: send.at_ns)


def _ordered(since_ns: int) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = {}
    rows = Resolution.objects.filter(created_at__gte=at_from_ns(since_ns))
    for trade_id, at in rows.values_list("trade_id", "created_at"):
        found.setdefault(trade_id, []).append(ns_from_at(at))
    return found


def _restarts(since_ns: int) -> list[Level]:
    """From the making of the process to deciding; the venues' proofs are waited for beside it.

    A start that ended unready after more than it may take counts with the time it had.
    """
    ready: list[float] = []
    trading: list[float] = []
    proven: list[float] = []
    slowest = ""
    starts = list(EngineStart.objects.filter(at__gte=at_from_ns(since_ns)).order_by("at"))
    for place, start in enumerate(starts):
        heir = next((each for each in starts[place + 1 :] if each.shard == start.shard), None)
        if start.reconciled_ns is None and heir is not None:
            had_s = (heir.at - start.at).total_seconds()
            if had_s > RESTART_LIMIT_S:
                ready.append(had_s)
        if start.began_ns is not None and start.reconciled_ns is not None:
            took_s = (start.reconciled_ns - start.began_ns) / 1e9
            stages = start.stages or {}
            stage = longest(stages)
            if stage is not None and took_s > max(ready, default=0.0):
                slowest = f" (slowest: {stage[1]:.1f} of {took_s:.1f} s until {stage[0]})"
            ready.append(took_s)
            if stages.keys() >= TRADING:
                trading.append(max(stages[stage] for stage in TRADING) / 1e3)
            if start.settled_ns is not None:
                proven.append((start.settled_ns - start.began_ns) / 1e9)
    return [
        quantile("restart → reconciled p95", ready, 0.95, RESTART_LIMIT_S, "s", slowest),
        quantile("restart → able to trade p95", trading, 0.95, None, "s"),
        quantile("restart → open trades proven p95", proven, 0.95, None, "s"),
    ]
