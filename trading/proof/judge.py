"""The verdict on one seed, from the venues' truth and the raw tables alone.

Knows no code of the engine: every check is a comparison of what the simulator did, what
left the machine (the witness) and what stands in PostgreSQL (rows and their history).
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

from feeds.still_venues import SimVenues
from trading.proof.database import ProofDatabase, Row
from trading.proof.script import Script
from trading.proof.witness import Witness

TERMINAL = ("done", "dead", "stale")
OPEN_STATES = ("open", "hedging")


class Judge:
    """Compares one finished seed; findings go to the witness's list."""

    def __init__(
        self, script: Script, venues: SimVenues, database: ProofDatabase, witness: Witness
    ) -> None:
        self._script = script
        self._venues = venues
        self._database = database
        self._find = witness.find
        self._witness = witness

    async def judge(self) -> None:
        """Check everything that must hold when all is quiet."""
        attempts = await self._database.rows("SELECT * FROM trading_attempt ORDER BY id")
        trades = await self._database.rows("SELECT * FROM trading_trade ORDER BY intent_key")
        history = await self._database.rows("SELECT * FROM proof_history ORDER BY id")
        self._orders(attempts)
        self._swaps(attempts)
        await self._fills()
        await self._ledger()
        self._residuals(trades, attempts)
        await self._limits(trades, history)
        self._evidence(attempts)
        self._moves(history)
        await self._windows()

    # ---- what the venues did ----------------------------------------------------------

    def _orders(self, attempts: list[Row]) -> None:
        durable = {row["cl_ord_id"]: row for row in attempts if row["cl_ord_id"]}
        seen: dict[str, int] = {}
        for order in self._venues.exchange.accounts.orders.values():
            name = str(order.cl_ord_id)
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                self._find("I2", f"the venue has {seen[name]} orders of {name}")
            if name not in durable:
                self._find("I7", f"the venue has an order {name} that is not on record")

    def _swaps(self, attempts: list[Row]) -> None:
        known = {row["signature"] for row in attempts if row["signature"]}
        for signature in self._landed():
            if signature not in known:
                self._find("I2", f"swap {signature} landed beside the one on record")

    def _landed(self) -> dict[str, dict[str, Decimal]]:
        """What each landed swap of ours moved; what a fork took back sums to nothing."""
        moved: dict[str, dict[str, Decimal]] = {}
        for entry in self._venues.truth.ledger():
            if (entry.venue, entry.kind) == ("solana", "trade"):
                assets = moved.setdefault(entry.reference, {})
                assets[entry.asset] = assets.get(entry.asset, Decimal(0)) + Decimal(entry.delta)
        return {name: assets for name, assets in moved.items() if any(assets.values())}

    async def _fills(self) -> None:
        rows = await self._database.rows("SELECT * FROM trading_fill")
        booked = [row for row in rows if row["status"] == "booked"]
        truth = {
            "kraken": set(self._venues.exchange.accounts.trades),
            "solana": set(self._landed()),
        }
        for venue, true_ids in truth.items():
            ids = [
                row["venue_fill_id"]
                for row in booked
                if row["venue"] == venue and row["base_delta"]
            ]
            for lost in sorted(true_ids - set(ids)):
                self._find("I4", f"{venue} fill {lost} was never booked")
            for false in sorted(set(ids) - true_ids):
                self._find("I5", f"{venue} fill {false} is booked and never happened")
            if len(set(ids)) != len(ids):
                self._find("I4", f"a {venue} fill is booked twice")

    async def _ledger(self) -> None:
        rows = await self._database.rows(
            "SELECT venue, venue_asset, sum(delta) AS total FROM trading_ledgerentry"
            " GROUP BY venue, venue_asset HAVING sum(delta) <> 0"
        )
        ours = {(row["venue"], row["venue_asset"]): row["total"] for row in rows}
        true = self._venues.true_sums()
        for key in sorted(ours.keys() | true.keys()):
            if ours.get(key, 0) != true.get(key, 0):
                self._find("I13", f"{key}: ledger {ours.get(key, 0)}, truth {true.get(key, 0)}")

    def _residuals(self, trades: list[Row], attempts: list[Row]) -> None:
        """What every trade really left over, from the venues' fills."""
        spec = self._venues.spec
        left: dict[Any, Decimal] = {row["id"]: Decimal(0) for row in trades}
        trade_of = {row["cl_ord_id"] or row["signature"]: row["trade_id"] for row in attempts}
        accounts = self._venues.exchange.accounts
        for fill in accounts.trades.values():
            order = accounts.orders[fill.order_id]
            trade = trade_of.get(str(order.cl_ord_id))
            if trade in left:
                left[trade] += fill.qty if order.side == "buy" else -fill.qty
        for signature, assets in self._landed().items():
            trade = trade_of.get(signature)
            if trade in left:
                left[trade] += assets.get(spec.base_mint, Decimal(0))
        dust = Decimal(spec.qty_min_lots).scaleb(-spec.qty_precision)
        for row in trades:
            if row["state"] in OPEN_STATES:
                self._find("I6", f"trade {row['intent_key']} is {row['state']} for ever")
            elif row["state"] == "closed" and abs(left[row["id"]]) >= dust:
                # `closed_as_inventory` is a person's act; the proof has no such person.
                self._find("I6", f"trade {row['intent_key']} closed with {left[row['id']]} left")
            if row["residual_base"] != left[row["id"]]:
                self._find(
                    "I6",
                    f"trade {row['intent_key']} says residual {row['residual_base']},"
                    f" the venues say {left[row['id']]}",
                )

    # ---- limits, evidence, states -----------------------------------------------------

    async def _limits(self, trades: list[Row], history: list[Row]) -> None:
        for row in history:
            entry = row["entry"]
            if row["what"] == "day":
                total = Decimal(str(entry["used"])) + Decimal(str(entry["reserved"]))
                if total > self._script.daily_cap_usd or entry["reserved"] < 0:
                    self._find("I11", f"used {entry['used']} and reserved {entry['reserved']}")
            if row["what"] == "trade" and entry["was"] is None and not entry["may_trade"]:
                self._find("I12", f"trade {row['key']} was recorded while stopped")
        held = sum((row["notional_usd"] for row in trades if row["closed_ns"] is None), Decimal(0))
        days = await self._database.rows(
            "SELECT coalesce(sum(notional_reserved), 0) AS usd FROM risk_riskday"
        )
        if days[0]["usd"] != held:
            self._find("I11", f"{days[0]['usd']} USD reserved for open trades of {held} USD")

    def _evidence(self, attempts: list[Row]) -> None:
        orders = self._venues.exchange.accounts.orders.values()
        filled = {str(order.cl_ord_id) for order in orders if order.filled_qty}
        landed = self._landed()
        for row in attempts:
            name = row["cl_ord_id"] or row["signature"]
            if row["state"] not in TERMINAL or not row["is_booked"]:
                self._find("I6", f"attempt {row['leg']}#{row['seq']} is {row['state']} for ever")
            if row["state"] not in ("dead", "stale"):
                continue
            if not row["evidence"]:
                self._find("I10", f"{row['leg']} {name} is {row['state']} without evidence")
            said = {item["event"] for item in row["evidence"] if "event" in item}
            is_refused = "rejected" in said and "proven_dead" not in said
            if is_refused and row["cl_ord_id"] and name not in self._witness.refused:
                self._find("I10", f"{row['leg']} {name} is dead and the venue never refused it")
            if name in filled or name in landed:
                self._find("I10", f"{row['leg']} {name} is {row['state']} and was executed")

    def _moves(self, history: list[Row]) -> None:
        live: dict[tuple[str, str], str] = {}
        for row in history:
            entry = row["entry"]
            if row["what"] != "attempt":
                continue
            if entry["epoch"] != entry["held"]:
                self._find("I8", f"attempt {row['key']} written under epoch {entry['epoch']}")
            was, state = entry["was"], entry["state"]
            is_revised = (was, state) == ("dead", "done")
            if was in TERMINAL and state != was and not is_revised:
                self._find("I14", f"attempt {row['key']} went from {was} to {state}")
            live[row["key"], entry["leg"]] = state
        for row in history:
            entry = row["entry"]
            if row["what"] == "trade" and entry["was"] == "operator" != entry["state"]:
                self._find("I14", f"trade {row['key']} left the operator by itself")

    async def _windows(self) -> None:
        rows = await self._database.rows(
            "SELECT window_id, count(*) AS n FROM trading_opportunity GROUP BY window_id"
        )
        for row in rows:
            if row["n"] > 1:
                self._find("I2", f"window {row['window_id']} fired {row['n']} times")

    # ---- the log ----------------------------------------------------------------------

    @staticmethod
    def hash_of(lines: list[str]) -> str:
        """The log's fingerprint: the same seed has the same, on any machine."""
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    async def log_lines(self) -> list[str]:
        """The event log: what left, what was written, what the venues did."""
        history = await self._database.rows(
            "SELECT what, key, entry::text AS entry FROM proof_history ORDER BY id"
        )
        return [
            *self._witness.log,
            *(f"{row['what']} {row['key']} {row['entry']}" for row in history),
            *(str(entry) for entry in self._venues.truth.ledger()),
        ]
