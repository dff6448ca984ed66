"""The AMM v4 swap program of the simulated chain: SwapBaseInV2 and SwapBaseOutV2.

Decodes the eight-account form from its published layout, checks what the program checks
and moves the tokens by `feeds.market`'s math. A breach raises `ProgramFailed` with the
program's own code. Called by `runtime` and by the Jupiter program.
"""

from __future__ import annotations

import struct

from feeds.market import ammv4
from feeds.market.pools import AmmV4Pool, QuoteRefused
from feeds.sim import seeding
from feeds.sim.solana.accounts import Core, Token
from feeds.sim.solana.swaps import Call, ProgramFailed

_ARGS = struct.Struct("<BQQ")
_SWAP_IN_V2, _SWAP_OUT_V2 = 16, 17
_UNITS = 25_000

_INVALID_PROGRAM_ADDRESS = 0
_INVALID_SIGNER = 11
_INVALID_VAULT = 13
_INVALID_INPUT = 29
_EXCEEDED_SLIPPAGE = 30
_INVALID_USER_TOKEN = 26
_INSUFFICIENT_FUNDS = 40
_TOO_FEW_ACCOUNTS = 3


def ammv4_swap(call: Call) -> None:
    """Execute a swap; only the forms without an order book exist in this world."""
    keys, data = call.step.accounts, call.step.data
    is_known = len(data) == _ARGS.size and data[0] in (_SWAP_IN_V2, _SWAP_OUT_V2)
    if not is_known:
        raise ProgramFailed("invalid instruction data", "InvalidInstructionData")
    call.require(len(keys) >= 8, _TOO_FEW_ACCOUNTS, "WrongAccountsNumber")
    tag, first, second = _ARGS.unpack(data)
    exact_in = tag == _SWAP_IN_V2
    call.logs.append(f"Program log: Instruction: {'SwapBaseInV2' if exact_in else 'SwapBaseOutV2'}")
    a_to_b = _check_accounts(call)
    pool = call.accounts.pool(keys[1])
    assert isinstance(pool, AmmV4Pool)
    amount, threshold = (first, second) if exact_in else (second, first)
    found = ammv4.swap(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=call.now_s)
    call.units = _UNITS
    if isinstance(found, QuoteRefused):
        raise call.fail(_INVALID_INPUT if found.code is None else found.code, found.cause)
    if exact_in:
        call.require(found.amount_out >= threshold, _EXCEEDED_SLIPPAGE, "ExceededSlippage")
    else:
        call.require(found.amount_in <= threshold, _EXCEEDED_SLIPPAGE, "ExceededSlippage")
    source, target, owner = keys[5:8]
    call.require(
        call.accounts.raw(source) >= found.amount_in, _INSUFFICIENT_FUNDS, "InsufficientFunds"
    )
    vault_in, vault_out = (keys[3], keys[4]) if a_to_b else (keys[4], keys[3])
    call.pay(owner, source, vault_in, found.amount_in)
    call.pay_out(vault_out, target, found.amount_out)
    call.accounts.put_pool(found.after)


def _check_accounts(call: Call) -> bool:
    """Check the account list; return whether token a goes in."""
    token_program, pool_key, authority, vault_a, vault_b, source, target, owner = (
        call.step.accounts[:8]
    )
    core = call.accounts.get(pool_key)
    if not isinstance(core, Core) or not isinstance(core.pool, AmmV4Pool):
        raise ProgramFailed("invalid account owner", "InvalidAccountOwner")
    pool = core.pool
    if token_program != seeding.SPL_PROGRAM:
        raise ProgramFailed("incorrect program id", "IncorrectProgramId")
    call.require(owner in call.transaction.signers, _INVALID_SIGNER, "InvalidSignAccount")
    is_ours = authority == seeding.ammv4_authority()
    call.require(is_ours, _INVALID_PROGRAM_ADDRESS, "InvalidProgramAddress")
    is_fit = (vault_a, vault_b) == (pool.vault_a, pool.vault_b)
    call.require(is_fit, _INVALID_VAULT, "InvalidCoinVault")
    call.require_writable(pool_key, vault_a, vault_b, source, target)
    giver, taker = call.accounts.get(source), call.accounts.get(target)
    if not isinstance(giver, Token) or not isinstance(taker, Token):
        raise ProgramFailed("invalid account data", "InvalidAccountData")
    mints = (giver.mint, taker.mint)
    is_known = mints in ((pool.mint_a, pool.mint_b), (pool.mint_b, pool.mint_a))
    call.require(is_known, _INVALID_USER_TOKEN, "InvalidUserToken")
    return mints[0] == pool.mint_a
