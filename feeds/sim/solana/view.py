"""What one simulated node knows: a chain seen late, at the commitments RPC speaks of.

A node hears of each block some time after the slot began; two nodes differ. Everything
RPC answers is read through a view, so lag and disagreement need no special cases
elsewhere. Not here: methods (solana_rpc), sockets (solana_server).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Literal

import msgspec

from feeds.sim.faults import FaultBoard
from feeds.sim.schedule import Schedule
from feeds.sim.solana.accounts import Array, Core, Encoded, State, Token, encode
from feeds.sim.solana.blocks import CONFIRMED_LAG_SLOTS, FINALIZED_LAG_SLOTS, Block, TxRecord
from feeds.sim.solana.chain import SolanaChain

Commitment = Literal["processed", "confirmed", "finalized"]
COMMITMENTS: tuple[Commitment, ...] = ("processed", "confirmed", "finalized")
_LAG: dict[str, int] = {
    "processed": 0,
    "confirmed": CONFIRMED_LAG_SLOTS,
    "finalized": FINALIZED_LAG_SLOTS,
}
# Long enough that a pool of a lively market has changed in between.
_DISAGREEING_SLOTS = 10
_SYSTEM = "11111111111111111111111111111111"
_RENT_EPOCH = (1 << 64) - 1

Notice = Callable[[Block], None]


class NodeView:
    """One node's picture. `delay_ms` is how much later than the chain's notice it hears."""

    def __init__(
        self,
        label: str,
        chain: SolanaChain,
        schedule: Schedule,
        faults: FaultBoard,
        *,
        delay_ms: float = 0.0,
        is_faulty: bool = False,
    ) -> None:
        self.label = label
        self.chain = chain
        self._schedule = schedule
        self._faults = faults
        self._delay_ms = delay_ms
        self._is_faulty = is_faulty
        self.slot = chain.slot
        self.listeners: list[Notice] = []
        self._encoded: dict[str, tuple[State, Encoded]] = {}
        chain.listeners.append(self._hear)

    @property
    def lag_slots(self) -> int:
        """Slots this node is kept behind by a fault."""
        return int(self._faults.number("solana.node_b_lag_slots")) if self._is_faulty else 0

    def _hear(self, block: Block) -> None:
        late_ms = self.chain.landing.settings.notice_ms + self._delay_ms
        late_ms += self._faults.number("solana.notice_delay_ms")
        self._schedule.at(block.at_ns + round(late_ms * 1e6), lambda _: self._notice(block))

    def _notice(self, block: Block) -> None:
        seen = self.chain.block_at(block.slot - self.lag_slots) if self.lag_slots else block
        if seen.slot > self.slot or block.reverted:
            self.slot = max(self.slot, seen.slot)
            for listener in self.listeners:
                listener(seen)

    def slot_at(self, commitment: Commitment) -> int:
        """The newest slot at a commitment."""
        return self.chain.block_at(self.slot - _LAG[commitment]).slot

    def block(self, commitment: Commitment) -> Block:
        """The newest block at a commitment."""
        return self.chain.block_at(self.slot - _LAG[commitment])

    @property
    def stale_slots(self) -> int:
        """By how many slots a fault lets account reads of this node be old."""
        return int(self._faults.number("solana.node_b_stale_reads")) if self._is_faulty else 0

    def account(self, address: str, commitment: Commitment, behind: int = 0) -> Encoded | None:
        """An account's owner, lamports and bytes, `behind` slots ago; None where none lies."""
        slot = self.slot - _LAG[commitment] - behind
        state = self.chain.bank.at(address, slot)
        is_stale = self._is_faulty and self._faults.is_on("solana.node_b_disagree")
        if is_stale and isinstance(state, Core | Token | Array):
            state = self.chain.bank.at(address, slot - _DISAGREEING_SLOTS)
        if state is None:
            return None
        cached = self._encoded.get(address)
        if cached is None or cached[0] is not state:
            cached = self._encoded[address] = (state, encode(address, state))
        ruined = self._faults.get("solana.pool_accounts")
        if isinstance(ruined, dict) and address in ruined:
            return _ruined(cached[1], ruined[address])
        return cached[1]

    def changed_at(self, address: str, commitment: Commitment) -> int:
        """The slot that last wrote an account, as far as this commitment sees."""
        return self.chain.bank.changed_at(address, self.slot - _LAG[commitment])

    def record(self, signature: str, commitment: Commitment) -> TxRecord | None:
        """A landed transaction, if this commitment has its slot."""
        found = self.chain.record(signature)
        return found if found and found.slot <= self.slot - _LAG[commitment] else None

    def commitment_of(self, slot: int) -> Commitment:
        """The highest commitment that `slot` has reached."""
        for commitment in reversed(COMMITMENTS):
            if slot <= self.slot - _LAG[commitment]:
                return commitment
        return "processed"


def _ruined(account: Encoded, word: str) -> Encoded | None:
    """What a pool's account looks like once its program gave it up."""
    if word == "closed":
        return None
    if word == "reowned":
        return msgspec.structs.replace(account, owner=_SYSTEM)
    return msgspec.structs.replace(account, data=account.data[:-8])


def account_json(account: Encoded | None, data_slice: tuple[int, int] | None = None) -> object:
    """An account in RPC's base64 shape; None stays null."""
    if account is None:
        return None
    data = account.data
    if data_slice is not None:
        offset, length = data_slice
        data = data[offset : offset + length]
    return {
        "data": [base64.b64encode(data).decode(), "base64"],
        "executable": account.is_executable,
        "lamports": account.lamports,
        "owner": account.owner,
        "rentEpoch": _RENT_EPOCH,
        "space": len(account.data),
    }
