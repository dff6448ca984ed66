"""What the simulated chain keeps and says: knobs, blocks, landed transactions, bids.

Plain records shared by the chain, the nodes and the market's actors, and the fault knobs
of the venue. No behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from feeds.sim.faults import FaultValue
from feeds.sim.solana.accounts import Ledger, State
from feeds.sim.solana.landing import LandingSettings, Pending
from feeds.sim.solana.runtime import Meta

BLOCKHASH_BLOCKS = 150
"""A transaction is valid up to this many blocks after its blockhash's."""

CONFIRMED_LAG_SLOTS = 2
FINALIZED_LAG_SLOTS = 32
STATUS_CACHE_SLOTS = 150

SOLANA_KNOBS: dict[str, FaultValue] = {
    "solana.stall": False,
    "solana.drop_sockets": False,
    "solana.node_b_lag_slots": 0,
    "solana.node_b_disagree": False,
    "solana.node_b_stale_reads": 0,
    "solana.pool_accounts": {},
    "solana.land_p": LandingSettings().land_p,
    "solana.fail_next": False,
    "solana.drop_tx_p": 0.0,
    "solana.rpc_429_p": 0.0,
    "solana.rpc_timeout_p": 0.0,
    "solana.notice_delay_ms": 0.0,
    "solana.simulation_off_raw": 0,
    "solana.fork": False,
}
"""Solana knobs
    stall              flag   no node sends a frame or answers a request
    drop_sockets       shot   every open socket of both nodes is cut
    node_b_lag_slots   number node sim-b sees the chain this many slots late
    node_b_disagree    flag   sim-b shows pool accounts of ten slots ago as if of now
    node_b_stale_reads number sim-b answers account reads from a bank this many slots old, whatever
                              minContextSlot asks for
    pool_accounts      map    {pool address: closed | reowned | resized}: what nodes show of it
    land_p             prob   landing chance per slot at the reference bid (1 = always, 0 = never)
    fail_next          shot   the next swap of a client lands with its program's slippage error
    drop_tx_p          prob   a sent transaction is acknowledged and forgotten
    rpc_429_p          prob   a request is answered 429
    rpc_timeout_p      prob   a request is acted on and never answered
    notice_delay_ms    number subscriptions tell of a slot this much later
    simulation_off_raw number simulateTransaction shows token accounts this many units short
    fork               shot   the newest slot is abandoned when the next one starts
"""
SOLANA_SHOTS = frozenset({"solana.drop_sockets", "solana.fail_next", "solana.fork"})


class Block(msgspec.Struct, frozen=True):
    """One produced slot. `changed` are the addresses it wrote."""

    slot: int
    parent: int
    height: int
    blockhash: str
    at_ns: int
    signatures: tuple[str, ...] = ()
    changed: frozenset[str] = frozenset()
    reverted: frozenset[str] = frozenset()
    priority_price: int = 0


class TxRecord(msgspec.Struct, frozen=True):
    """A landed transaction as the chain keeps it."""

    signature: str
    slot: int
    height: int
    block_time_s: int
    raw: bytes
    meta: Meta


class Head(msgspec.Struct, frozen=True):
    """Where the slot clock stands; what a restart goes on from."""

    slot: int
    height: int
    at_ns: int
    replaced: dict[int, int]


class Bid(msgspec.Struct, frozen=True):
    """A market actor's wish to act in this slot; `act` runs on the accounts at its turn."""

    lamports: int
    act: Callable[[Ledger, int], None]


class Undo(msgspec.Struct, frozen=True):
    """What taking the newest block back needs."""

    before: Mapping[str, State | None]
    records: tuple[TxRecord, ...]
    pendings: tuple[Pending, ...]


Actors = Callable[[int, int], Sequence[Bid]]
"""Asked at each slot's start with (slot, at_ns)."""
BlockListener = Callable[[Block], None]
