"""Instructions as a compromised aggregator would hand them out, one trick a word.

Used by the server's `jupiter.hostile` knob, so that the signing firewall can be watched at
work in a demonstration; the firewall's own tests go much further.
"""

from __future__ import annotations

import struct

import msgspec

from feeds.sim import seeding
from feeds.sim.jupiter.plans import Form, InstructionJson, Meta

NONE = "none"
_THIEF = "thief"


def spoil(
    swap: InstructionJson, form: Form, taker: str, mint_out: str, word: str
) -> tuple[InstructionJson, list[InstructionJson]]:
    """Return the swap with the trick `word` applied, and instructions beside it."""
    thief = seeding.address_of(_THIEF)
    is_v2 = form == "route_v2"
    match word:
        case "other_target":
            target = seeding.token_account_of(thief, mint_out)
            return _with_account(swap, 2 if is_v2 else 3, target), []
        case "platform_fee":
            at = 8 + 18 if is_v2 else len(swap.data) - 1
            return _with_bytes(swap, at, b"\x32"), []
        case "low_minimum":
            at = 16 if is_v2 else len(swap.data) - 11
            return _with_bytes(swap, at, struct.pack("<Q", 1)), []
        case "more_input":
            at = 8 if is_v2 else len(swap.data) - 19
            amount = struct.unpack_from("<Q", swap.data, at)[0]
            return _with_bytes(swap, at, struct.pack("<Q", amount * 2)), []
        case "unknown_program":
            return msgspec.structs.replace(swap, program_id=thief), []
        case "extra_transfer":
            lamports = struct.pack("<IQ", 2, seeding.LAMPORTS_PER_SOL)
            metas = [Meta(taker, True, True), Meta(thief, False, True)]
            return swap, [InstructionJson(seeding.SYSTEM_PROGRAM, metas, lamports)]
    return swap, []


def _with_account(swap: InstructionJson, place: int, address: str) -> InstructionJson:
    metas = list(swap.accounts)
    metas[place] = msgspec.structs.replace(metas[place], pubkey=address)
    return msgspec.structs.replace(swap, accounts=metas)


def _with_bytes(swap: InstructionJson, at: int, replacement: bytes) -> InstructionJson:
    data = swap.data[:at] + replacement + swap.data[at + len(replacement) :]
    return msgspec.structs.replace(swap, data=data)
