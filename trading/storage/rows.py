"""How a trade, its attempts, fills and windows look as JSON and as rows of the database.

Pure mapping between records and columns, plus the few statements whose column lists are
derived from the records. Called by `trading.storage.store` only; no connection lives here.
"""

# ruff: noqa: S608 - column lists come from our own constants, values are parameters
from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from arbsite import events
from arbsite.clock import at_from_ns
from trading.effects import NoteWindow
from trading.intent import Intent, WindowRow
from trading.needs import Need
from trading.records import (
    AttemptRecord,
    FillRecord,
    LedgerLine,
    OrderAnswer,
    TradeRecord,
    size_base,
)

DAY_NS = 86_400_000_000_000


def opportunity_json(intent: Intent) -> dict[str, Any]:
    return {
        **admission_json(intent),
        "mode": intent.mode,
        "decided_ns": intent.decided_ns,
        "intent": intent,
    }


def admission_json(intent: Intent) -> dict[str, Any]:
    """What limits and the trade's row are told of a decision, without its inputs."""
    return {
        "intent_key": str(intent.intent_key),
        "window_id": str(intent.window_id),
        "asset": intent.asset,
        "direction": intent.direction,
        "size_base": str(size_base(intent)),
        "notional_usd": str(intent.notional_usd),
        "expected_pnl_usd": str(intent.pnl.expected),
        "config_version": intent.config_version,
    }


def trade_json(intent: Intent, trade_id: UUID) -> dict[str, Any]:
    return {
        "id": str(trade_id),
        "leg_order": intent.verdict.order,
        "detect_ns": intent.detect_ns,
        "risk_day": risk_day(intent),
    }


def risk_day(intent: Intent) -> str:
    """The UTC day an intent's limits are counted on (ISO date)."""
    return _day_text(intent.decided_ns // DAY_NS)


@lru_cache(maxsize=4)
def _day_text(day: int) -> str:
    return at_from_ns(day * DAY_NS).date().isoformat()


def attempt_json(attempt: AttemptRecord) -> dict[str, Any]:
    raw = attempt.raw_tx
    return {
        "id": str(attempt.id),
        "leg": attempt.leg,
        "seq": attempt.seq,
        "venue": attempt.venue,
        "side": attempt.side,
        "qty": str(attempt.qty),
        "limit_price": None if attempt.limit_price is None else str(attempt.limit_price),
        "state": attempt.state,
        "cl_ord_id": attempt.cl_ord_id,
        "deadline_ns": attempt.deadline_ns,
        "signature": attempt.signature,
        "raw_tx": None if raw is None else base64.b64encode(raw).decode(),
        "last_valid_height": attempt.last_valid_height,
        "threshold_raw": None if attempt.threshold_raw is None else str(attempt.threshold_raw),
        "sent_ns": attempt.sent_ns,
    }


def need_json(need: Need) -> dict[str, Any]:
    return {
        "venue": need.venue,
        "asset": need.asset,
        "amount": str(need.amount),
        "free": str(need.free),
        "known_ns": need.known_ns,
    }


def exec_try_json(intent: Intent) -> dict[str, Any]:
    message = events.ExecTry(
        intent_key=str(intent.intent_key),
        window_id=str(intent.window_id),
        asset=intent.asset,
        direction=intent.direction,
        mode=intent.mode,
        policy=intent.verdict.order,
        size_base=str(size_base(intent)),
        expected_pnl_usd=str(intent.pnl.expected),
        at_ns=intent.decided_ns,
    )
    return {
        "subject": events.subject_for_asset(events.EXEC_TRY, intent.asset),
        "payload": message,
    }


ATTEMPT_COLUMNS = [
    "id",
    "trade_id",
    "shard",
    "leg",
    "seq",
    "venue",
    "side",
    "qty",
    "limit_price",
    "state",
    "epoch",
    "cl_ord_id",
    "order_id",
    "deadline_ns",
    "signature",
    "raw_tx",
    "last_valid_height",
    "threshold_raw",
    "sent_ns",
    "acked_ns",
    "filled_ns",
    "filled_base",
    "is_booked",
    "evidence",
]
ATTEMPT_MUTABLE = [
    "state",
    "epoch",
    "order_id",
    "deadline_ns",
    "limit_price",
    "qty",
    "sent_ns",
    "acked_ns",
    "filled_ns",
    "filled_base",
    "is_booked",
    "evidence",
]
ATTEMPT_SQL = (
    f"INSERT INTO trading_attempt ({', '.join(ATTEMPT_COLUMNS)})"
    f" VALUES ({', '.join(f'%({name})s' for name in ATTEMPT_COLUMNS)})"
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in ATTEMPT_MUTABLE)
    + " RETURNING (xmax = 0) AS is_new"
)
# A booked fill is final: a later observation of the same execution changes nothing.
FILL_SQL = """
INSERT INTO trading_fill (id, attempt_id, venue, venue_fill_id, status, base_delta,
    quote_delta, quote_asset, fee, fee_asset, at_ns)
VALUES (gen_random_uuid(), %(attempt_id)s, %(venue)s, %(venue_fill_id)s, %(status)s,
    %(base_delta)s, %(quote_delta)s, %(quote_asset)s, %(fee)s, %(fee_asset)s, %(at_ns)s)
ON CONFLICT (venue, venue_fill_id) DO UPDATE SET status = EXCLUDED.status,
    base_delta = EXCLUDED.base_delta, quote_delta = EXCLUDED.quote_delta,
    fee = EXCLUDED.fee, fee_asset = EXCLUDED.fee_asset, at_ns = EXCLUDED.at_ns
WHERE trading_fill.status = 'observed'
"""
LEDGER_SQL = """
INSERT INTO trading_ledgerentry (trade_id, venue, venue_asset, asset, delta, kind, reference,
    at_ns)
VALUES (%(trade_id)s, %(venue)s, %(venue_asset)s, %(asset)s, %(delta)s, %(kind)s,
    %(reference)s, %(at_ns)s)
ON CONFLICT (venue, reference, venue_asset, kind) DO NOTHING
"""
# Taken by this very engine and not answered yet: an answer is given once.
ANSWER_SQL = """
UPDATE trading_resolution SET state = %(state)s, answer = %(words)s, detail = %(detail)s,
    answered_at = %(at)s
WHERE id = %(id)s AND state = 'taken' AND epoch = %(epoch)s
"""
WINDOW_COLUMNS = [*WindowRow.__struct_fields__, "decision", "gate", "gate_value", "gate_limit"]
WINDOW_SQL = (
    f"INSERT INTO trading_window ({', '.join(WINDOW_COLUMNS)})"
    f" VALUES ({', '.join(f'%({name})s' for name in WINDOW_COLUMNS)})"
    " ON CONFLICT (window_id) DO UPDATE SET "
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in WINDOW_COLUMNS[1:])
    + " WHERE trading_window.version < EXCLUDED.version"
)


def fill_params(attempt_id: UUID, fill: FillRecord) -> dict[str, Any]:
    return {"attempt_id": attempt_id, **msgspec.structs.asdict(fill)}


def ledger_params(trade_id: UUID, line: LedgerLine) -> dict[str, Any]:
    return {"trade_id": trade_id, **msgspec.structs.asdict(line)}


def answer_params(answer: OrderAnswer, epoch: int) -> dict[str, Any]:
    return {
        "id": answer.id,
        "state": answer.state,
        "words": answer.words,
        "detail": Jsonb(answer.detail),
        "at": at_from_ns(answer.at_ns),
        "epoch": epoch,
    }


def window_json(note: NoteWindow) -> dict[str, Any]:
    """A noted window as the intent function stores it: the columns of its row."""
    return window_params(note.window, note.decision, note.gate, note.gate_value, note.gate_limit)


def window_params(
    row: WindowRow, decision: str, gate: str, value: str, limit: str
) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(row),
        "decision": decision,
        "gate": gate[:64],
        "gate_value": value[:64],
        "gate_limit": limit[:64],
    }


def trade_record(
    row: dict[str, Any], attempts: list[dict[str, Any]], fills: list[dict[str, Any]]
) -> TradeRecord:
    by_attempt: dict[UUID, dict[str, FillRecord]] = {}
    for fill in fills:
        record = FillRecord(**{name: fill[name] for name in FillRecord.__struct_fields__})
        by_attempt.setdefault(fill["attempt_id"], {})[record.venue_fill_id] = record
    return TradeRecord(
        id=row["id"],
        intent=msgspec.convert(row["intent"], Intent),
        state=row["state"],
        version=row["version"],
        risk_day=row["risk_day"].isoformat(),
        attempts=[attempt_record(item, by_attempt.get(item["id"], {})) for item in attempts],
        is_settled=row["is_settled"],
        outcome=row["outcome"],
        is_verified=row["is_verified"],
        realised_pnl_usd=row["realised_pnl_usd"],
        wired_ns=row["wired_ns"],
        both_filled_ns=row["both_filled_ns"],
        naked_from_ns=row["naked_from_ns"],
        naked_until_ns=row["naked_until_ns"],
        closed_ns=row["closed_ns"],
        reason=row["reason"],
        day_pnl_usd=row["day_pnl_usd"],
        verdicts=row["verdicts"],
    )


def attempt_record(row: dict[str, Any], fills: dict[str, FillRecord]) -> AttemptRecord:
    names = [name for name in AttemptRecord.__struct_fields__ if name != "fills"]
    values = {name: row[name] for name in names}
    if values["raw_tx"] is not None:
        values["raw_tx"] = bytes(values["raw_tx"])
    if values["threshold_raw"] is not None:
        values["threshold_raw"] = int(values["threshold_raw"])
    return AttemptRecord(**values, fills=fills)
