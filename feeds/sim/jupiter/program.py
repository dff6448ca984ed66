"""The Jupiter program of the simulated chain: one hop, then the promised output or nothing.

Reads `route` and `route_v2` forward as the deployed program does (bytes after the arguments
are ignored), calls the exchange's own program with the taker's signature, and fails with
Jupiter's codes. It does not protect the taker from anything else: that is the taker's
firewall's work. Called by `runtime` of the simulated chain.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import msgspec

from feeds.sim import seeding
from feeds.sim.solana.accounts import Token
from feeds.sim.solana.ammv4_program import ammv4_swap
from feeds.sim.solana.swaps import (
    Call,
    ProgramFailed,
    anchor_discriminator,
    cpmm_swap,
    whirlpool_swap,
)
from feeds.sim.solana.transactions import Step

ROUTE = anchor_discriminator("route")
ROUTE_V2 = anchor_discriminator("route_v2")
RAYDIUM, RAYDIUM_CP, WHIRLPOOL_SWAP_V2 = 7, 46, 47

_SWAP_V2 = anchor_discriminator("swap_v2")
_SWAP_BASE_INPUT = anchor_discriminator("swap_base_input")
_SLIPPAGE = 6001
_NOT_ENOUGH_PERCENT = 6005
_NOT_ENOUGH_KEYS = 6008
_WRONG_TOKEN_PROGRAM = 6014
_NOT_SUPPORTED = 6016
_NO_FUNDS = 6024
_BAD_TOKEN_ACCOUNT = 6025
_BAD_DATA = 102
_UNKNOWN_INSTRUCTION = 101
_NOT_A_SIGNER = 3010
_OVERHEAD_UNITS = 30_000

_Program = Callable[[Call], None]


class _Order(msgspec.Struct, frozen=True):
    """The decoded arguments."""

    amount_in: int
    quoted_out: int
    slippage_bps: int
    kind: int
    a_to_b: bool

    @property
    def min_out(self) -> int:
        return self.quoted_out - self.quoted_out * self.slippage_bps // 10_000


def jupiter_swap(call: Call) -> None:
    """Execute a one-hop route."""
    disc, keys = call.step.data[:8], call.step.accounts
    call.require(disc in (ROUTE, ROUTE_V2), _UNKNOWN_INSTRUCTION, "InstructionFallbackNotFound")
    is_v2 = disc == ROUTE_V2
    call.logs.append(f"Program log: Instruction: {'RouteV2' if is_v2 else 'Route'}")
    order = _decode(call, is_v2)
    fixed = 10 if is_v2 else 9
    call.require(len(keys) > fixed, _NOT_ENOUGH_KEYS, "NotEnoughAccountKeys")
    authority, source, target = keys[0:3] if is_v2 else keys[1:4]
    programs = keys[5:7] if is_v2 else keys[0:1]
    is_classic = set(programs) == {seeding.SPL_PROGRAM}
    call.require(is_classic, _WRONG_TOKEN_PROGRAM, "IncorrectTokenProgramID")
    call.require(authority in call.transaction.signers, _NOT_A_SIGNER, "AccountNotSigner")
    for address in (source, target):
        is_token = isinstance(call.accounts.get(address), Token)
        call.require(is_token, _BAD_TOKEN_ACCOUNT, "InvalidTokenAccount")
    has_funds = call.accounts.raw(source) >= order.amount_in
    call.require(has_funds, _NO_FUNDS, "InsufficientFunds")
    before = call.accounts.raw(target)
    _call_exchange(call, order, keys[fixed], keys[fixed + 1 :])
    gained = call.accounts.raw(target) - before
    call.require(gained >= order.min_out, _SLIPPAGE, "SlippageToleranceExceeded")


def _call_exchange(call: Call, order: _Order, program: str, accounts: tuple[str, ...]) -> None:
    """Run the exchange's program inside ours; its failure is the transaction's."""
    inner_programs: dict[int, tuple[str, _Program]] = {
        WHIRLPOOL_SWAP_V2: (seeding.WHIRLPOOL_PROGRAM, whirlpool_swap),
        RAYDIUM_CP: (seeding.CPMM_PROGRAM, cpmm_swap),
        RAYDIUM: (seeding.AMMV4_PROGRAM, ammv4_swap),
    }
    found = inner_programs.get(order.kind)
    is_fit = found is not None and found[0] == program
    call.require(is_fit, _NOT_SUPPORTED, "SwapNotSupported")
    assert found is not None
    call.logs.append(f"Program {program} invoke [2]")
    step = Step(program, accounts, _inner_data(order))
    inner = Call(call.transaction, step, call.accounts, call.logs, call.now_s)
    try:
        found[1](inner)
    except ProgramFailed as failed:
        call.logs.append(f"Program {program} failed: {failed.text}")
        raise
    call.logs.append(f"Program {program} success")
    call.units = _OVERHEAD_UNITS + inner.units


def _inner_data(order: _Order) -> bytes:
    """The exchange's own instruction, without a threshold: Jupiter checks the sum."""
    if order.kind == WHIRLPOOL_SWAP_V2:
        flags = (True, order.a_to_b, False)
        return _SWAP_V2 + struct.pack("<QQQQ???", order.amount_in, 0, 0, 0, *flags)
    if order.kind == RAYDIUM_CP:
        return _SWAP_BASE_INPUT + struct.pack("<QQ", order.amount_in, 0)
    return struct.pack("<BQQ", 16, order.amount_in, 0)


def _decode(call: Call, is_v2: bool) -> _Order:
    data = call.step.data[8:]
    try:
        if is_v2:
            amount_in, quoted_out, slippage, _, _, hops = struct.unpack_from("<QQHHHI", data)
            kind, a_to_b, at = _decode_kind(call, data, 26)
            share = struct.unpack_from("<H", data, at)[0] // 100
        else:
            hops = struct.unpack_from("<I", data)[0]
            kind, a_to_b, at = _decode_kind(call, data, 4)
            share = data[at]
            amount_in, quoted_out, slippage = struct.unpack_from("<QQH", data, at + 3)
    except (struct.error, IndexError):
        raise call.fail(_BAD_DATA, "InstructionDidNotDeserialize") from None
    call.require(hops == 1, _NOT_SUPPORTED, "SwapNotSupported")
    call.require(share == 100, _NOT_ENOUGH_PERCENT, "NotEnoughPercent")
    return _Order(amount_in, quoted_out, slippage, kind, a_to_b)


def _decode_kind(call: Call, data: bytes, at: int) -> tuple[int, bool, int]:
    kind = data[at]
    if kind != WHIRLPOOL_SWAP_V2:
        return kind, False, at + 1
    call.require(data[at + 2] == 0, _BAD_DATA, "RemainingAccountsInfo")
    return kind, bool(data[at + 1]), at + 3
