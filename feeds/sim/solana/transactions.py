"""Wire transactions read into plain values: keys, instructions, fee terms, signatures.

The bytes are parsed and their signatures verified by solders; what is not understood
(address lookup tables, legacy oddities) is refused as the chain's front door refuses it.
Not here: executing (solana_runtime) and landing (solana_chain).
"""

from __future__ import annotations

import struct

import msgspec
from solders.message import MessageHeader, MessageV0
from solders.transaction import VersionedTransaction

from feeds.sim.seeding import SYSTEM_PROGRAM

COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
MAX_TRANSACTION_BYTES = 1232
BASE_FEE_LAMPORTS = 5_000
MAX_COMPUTE_UNITS = 1_400_000
DEFAULT_UNITS_PER_INSTRUCTION = 200_000
# An ordinary swap's limit: bids of all sizes of transaction are compared at this many units.
REFERENCE_UNITS = 200_000
_MICRO = 1_000_000

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_TRANSFER = struct.Struct("<IQ")


class BadTransaction(Exception):
    """Bytes that no node takes in; the text goes into the RPC error."""


class BadSignature(BadTransaction):
    """A signature that does not fit the message."""


class Step(msgspec.Struct, frozen=True):
    """One instruction with its accounts resolved."""

    program: str
    accounts: tuple[str, ...]
    data: bytes


class Transaction(msgspec.Struct, frozen=True):
    """A parsed, verified transaction."""

    signature: str
    raw: bytes
    is_v0: bool
    keys: tuple[str, ...]
    signers: frozenset[str]
    writable: frozenset[str]
    blockhash: str
    steps: tuple[Step, ...]
    cu_limit: int
    cu_price_micro_lamports: int
    signature_count: int

    @property
    def payer(self) -> str:
        return self.keys[0]

    @property
    def priority_lamports(self) -> int:
        """Priority fee: limit · price, rounded up; owed even when the program fails."""
        return -(-self.cu_limit * self.cu_price_micro_lamports // _MICRO)

    @property
    def fee_lamports(self) -> int:
        """Everything `meta.fee` will say."""
        return BASE_FEE_LAMPORTS * self.signature_count + self.priority_lamports

    def bid_lamports(self, tip_accounts: frozenset[str]) -> int:
        """What a leader ranks by: the price of a unit, times an ordinary swap's units, and tips.

        A tighter limit makes a transaction cheaper, not later.
        """
        ranked = -(-REFERENCE_UNITS * self.cu_price_micro_lamports // _MICRO)
        return ranked + self.tip_lamports(tip_accounts)

    def tip_lamports(self, tip_accounts: frozenset[str]) -> int:
        """Sum of the system transfers to tip accounts."""
        total = 0
        for step in self.steps:
            transfer = transfer_of(step)
            if transfer is not None and step.accounts[1] in tip_accounts:
                total += transfer
        return total


def transfer_of(step: Step) -> int | None:
    """Lamports of a system transfer, None when the instruction is something else."""
    if step.program != SYSTEM_PROGRAM or len(step.data) != _TRANSFER.size:
        return None
    kind, lamports = _TRANSFER.unpack(step.data)
    return int(lamports) if kind == 2 and len(step.accounts) >= 2 else None


def parse(raw: bytes, *, is_verified: bool = True) -> Transaction:
    """Parse and, unless a simulation asks not to, verify.

    Raises BadTransaction, or BadSignature.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise BadTransaction(
            f"base64 encoded transaction too large: {len(raw)} bytes "
            f"(max: encoded/raw {MAX_TRANSACTION_BYTES * 4 // 3 + 1}/{MAX_TRANSACTION_BYTES})"
        )
    try:
        parsed = VersionedTransaction.from_bytes(raw)
        parsed.sanitize()
        message = parsed.message
        keys = tuple(str(key) for key in message.account_keys)
        steps = tuple(
            Step(
                keys[ix.program_id_index],
                tuple(keys[place] for place in bytes(ix.accounts)),
                bytes(ix.data),
            )
            for ix in message.instructions
        )
    except (ValueError, IndexError) as bad:
        raise BadTransaction(f"failed to deserialize transaction: {bad}") from bad
    if isinstance(message, MessageV0) and message.address_table_lookups:
        raise BadTransaction("address lookup tables do not exist in this world")
    if bytes(parsed) != raw or not parsed.signatures:
        raise BadTransaction("failed to deserialize transaction: trailing bytes")
    if is_verified and not all(parsed.verify_with_results()):
        raise BadSignature("Transaction signature verification failure")
    limit, price = _compute_budget(steps)
    header = message.header
    return Transaction(
        signature=str(parsed.signatures[0]),
        raw=raw,
        is_v0=isinstance(message, MessageV0),
        keys=keys,
        signers=frozenset(keys[: header.num_required_signatures]),
        writable=_writable(keys, header),
        blockhash=str(message.recent_blockhash),
        steps=steps,
        cu_limit=limit,
        cu_price_micro_lamports=price,
        signature_count=len(parsed.signatures),
    )


def _writable(keys: tuple[str, ...], header: MessageHeader) -> frozenset[str]:
    signers = header.num_required_signatures
    signed = keys[: signers - header.num_readonly_signed_accounts]
    unsigned = keys[signers : len(keys) - header.num_readonly_unsigned_accounts]
    return frozenset(signed + unsigned)


def _compute_budget(steps: tuple[Step, ...]) -> tuple[int, int]:
    """Compute-unit limit and price in micro-lamports a unit, as requested or by default."""
    limit, price, others = None, 0, 0
    for step in steps:
        if step.program != COMPUTE_BUDGET_PROGRAM:
            others += 1
        elif step.data[:1] == b"\x02" and len(step.data) == 5:
            limit = int(_U32.unpack_from(step.data, 1)[0])
        elif step.data[:1] == b"\x03" and len(step.data) == 9:
            price = int(_U64.unpack_from(step.data, 1)[0])
        else:
            raise BadTransaction("invalid compute budget instruction")
    if limit is None:
        limit = DEFAULT_UNITS_PER_INSTRUCTION * others
    return min(limit, MAX_COMPUTE_UNITS), price
