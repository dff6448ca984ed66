"""Whether and when a transaction gets into a block: congestion, bids, luck, expiry.

A model, with its numbers and their reasons in `LandingSettings`; the promises of the
product are measured against it, so it is frozen with the scenarios. Called by
solana_chain once per slot. Not here: executing.
"""

from __future__ import annotations

import math

import msgspec

from feeds.sim.schedule import Stream
from feeds.sim.solana.transactions import Transaction


class LandingSettings(msgspec.Struct, frozen=True):
    """How the chain treats a transaction that was sent to it."""

    # Solana's nominal slot, and what leaders deviate from it by.
    slot_ms: float = 400.0
    slot_jitter_ms: float = 12.0
    skipped_slot_p: float = 0.02
    # A node tells of a slot's changes this long after the slot began (domain: 150 ms).
    notice_ms: float = 150.0
    # Chance per slot at the reference bid while leaders are being sent the transaction.
    land_p: float = 0.7
    # Priority fee plus tip of an ordinary bot transaction: 0.00002 SOL.
    reference_bid_lamports: int = 20_000
    # However high the bid, a leader drops some packets.
    land_p_at_any_bid: float = 0.9
    # One broadcast reaches the next leaders' window of four slots; later ones by accident.
    forwarded_slots: int = 4
    late_land_p: float = 0.03
    # Standard deviation of the luck that shuffles bids inside a slot (of ln bid).
    luck: float = 0.8
    # Congestion multiplies the reference bid; it wanders around 1 with this spread.
    congestion_spread: float = 0.35
    congestion_recall: float = 0.02


class Pending(msgspec.Struct):
    """A transaction that some node has taken in and no block has yet."""

    transaction: Transaction
    bid_lamports: int
    last_valid_height: int
    forwarded_until_slot: int


class Landing:
    """The chances of one chain; draws only from its own random stream."""

    def __init__(self, settings: LandingSettings, rng: Stream) -> None:
        self.settings = settings
        self._rng = rng
        self._log_congestion = 0.0

    @property
    def congestion(self) -> float:
        """How much dearer than usual a place in a block is; 1 is usual."""
        return math.exp(self._log_congestion)

    def next_slot(self) -> tuple[int, bool]:
        """Move congestion on; return the slot's length in ns and whether it is skipped."""
        kept = 1 - self.settings.congestion_recall
        shock = self.settings.congestion_spread * math.sqrt(1 - kept * kept)
        self._log_congestion = kept * self._log_congestion + self._rng.gauss(0, shock)
        jitter = self._rng.gauss(0, self.settings.slot_jitter_ms)
        length_ms = self.settings.slot_ms + max(-60.0, min(60.0, jitter))
        return round(length_ms * 1e6), self._rng.random() < self.settings.skipped_slot_p

    def lands(self, pending: Pending, slot: int, land_p: float) -> bool:
        """Draw whether a pending transaction gets into this slot.

        `land_p` is the chance at the reference bid; 1 means always.
        """
        if land_p >= 1:
            return True
        chance = land_p * self.chance_factor(pending.bid_lamports)
        if slot > pending.forwarded_until_slot:
            chance = min(chance, self.settings.late_land_p)
        return self._rng.random() < chance

    def chance_factor(self, bid_lamports: int) -> float:
        """Chance relative to the reference bid's: 1 at the reference, saturating above."""
        top = self.settings.land_p_at_any_bid / self.settings.land_p
        relative = bid_lamports / (self.settings.reference_bid_lamports * self.congestion)
        # x / (x + c) scaled so that it is 1 at x = 1 and `top` far above.
        return top * relative / (relative + top - 1)

    def rank(self, bid_lamports: int) -> float:
        """Draw a place in the slot: smaller goes first; bids decide, luck shuffles."""
        luck = self._rng.gauss(0, self.settings.luck)
        return -(math.log(bid_lamports + 1_000) + luck)

    def priority_price(self) -> int:
        """Draw a slot's lowest landed price in micro-lamports a unit; often nobody paid."""
        if self._rng.random() < 0.4:
            return 0
        usual = self.settings.reference_bid_lamports * self.congestion * 1e6 / 200_000
        return round(usual * math.exp(self._rng.gauss(-0.5, 0.6)))
