"""An intent that never was: what the server runs once so that the first real one is not slow.

A new connection plans every statement of the intent functions at their first call: 10 to 19 ms
for the first trade of an engine, where the later ones took 3. Called by `trading.storage.store`
through `trading_rehearse_intent`, in a transaction that is always rolled back.
"""

from __future__ import annotations

from typing import Any

from arbsite.clock import uuid7

ASSET = "none"


def stand_in(shard: str, epoch: int) -> dict[str, Any]:
    """The JSON of an intent of no asset, as the functions read it; its keys are nobody's."""
    amounts = {"size_base": "1", "notional_usd": "1", "expected_pnl_usd": "1"}
    window_id, trade_id = str(uuid7()), str(uuid7())
    attempts = [
        {
            "id": str(uuid7()),
            "leg": leg,
            "seq": 1,
            "venue": venue,
            "side": "buy",
            "qty": "1",
            "limit_price": "1",
            "state": "planned",
            "raw_tx": "AA==",
        }
        for leg, venue in (("cex", "kraken"), ("dex", "solana"))
    ]
    return {
        "shard": shard,
        "epoch": epoch,
        "opportunity": {
            **amounts,
            "intent_key": str(uuid7()),
            "window_id": window_id,
            "asset": ASSET,
            "direction": ASSET,
            "mode": "observe",
            "config_version": 0,
            "decided_ns": 0,
            "intent": {},
        },
        "outbox": {"subject": ASSET, "payload": {}},
        "window": None,
        "trade": {
            "id": trade_id,
            "leg_order": ASSET,
            "detect_ns": 0,
            "risk_day": "1970-01-01",
        },
        "attempts": attempts,
        "caps": {"notional": "1", "loss": "1", "trades": 1},
        "needs": [
            {"venue": ASSET, "asset": ASSET, "amount": "1", "free": "1", "known_ns": 0},
        ],
    }
