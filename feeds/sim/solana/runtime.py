"""What a transaction does to the simulated chain: fee, programs, logs, success or error.

System transfers and swaps of the pool programs and of Jupiter are executed; every account a program
would check is checked, and a breach fails with the code the deployed program gives. The
swap math is `feeds.market`'s. Not here: which slot, which order (solana_chain).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from feeds.sim import seeding
from feeds.sim.jupiter.program import jupiter_swap
from feeds.sim.solana.accounts import Ledger, Token, Wallet
from feeds.sim.solana.ammv4_program import ammv4_swap
from feeds.sim.solana.swaps import Call, ProgramFailed, cpmm_swap, whirlpool_swap
from feeds.sim.solana.transactions import COMPUTE_BUDGET_PROGRAM, Step, Transaction, transfer_of

FEE_COLLECTOR = seeding.address_of("fee collector")
"""Where fees go, so that native lamports are conserved to the unit."""

_SYSTEM_UNITS = 150
_NO_LAMPORTS = 1  # system program: ResultWithNegativeLamports
_RENT_EXEMPT_MINIMUM = 890_880

TransactionError = str | dict[str, object]


class TokenRow(msgspec.Struct, frozen=True):
    """One entry of a meta's pre- or post-token balances."""

    account_index: int
    mint: str
    owner: str
    raw: int


class Meta(msgspec.Struct, frozen=True):
    """What getTransaction tells of an executed transaction."""

    error: TransactionError | None
    fee_lamports: int
    units: int
    logs: list[str]
    pre_lamports: list[int]
    post_lamports: list[int]
    pre_tokens: list[TokenRow]
    post_tokens: list[TokenRow]


class NotChargeable(Exception):
    """The payer cannot pay the fee: the transaction never lands. The text is the RPC error."""


_PROGRAMS: dict[str, Callable[[Call], None]] = {
    seeding.WHIRLPOOL_PROGRAM: whirlpool_swap,
    seeding.CPMM_PROGRAM: cpmm_swap,
    seeding.AMMV4_PROGRAM: ammv4_swap,
    seeding.JUPITER_PROGRAM: jupiter_swap,
}


def execute(
    transaction: Transaction, accounts: Ledger, *, now_s: int, forced_error: int | None = None
) -> tuple[Meta, Ledger]:
    """Run one transaction on top of `accounts`; return its meta and what it wrote.

    The fee is taken first and kept when a program fails; everything else is then undone.
    `forced_error` makes the first swap fail with that code. Raises NotChargeable.
    """
    charged = Ledger(accounts)
    held = accounts.lamports(transaction.payer)
    if accounts.get(transaction.payer) is None:
        raise NotChargeable("AccountNotFound")
    if held < transaction.fee_lamports + _RENT_EXEMPT_MINIMUM:
        raise NotChargeable("InsufficientFundsForFee")
    charged.move_lamports(transaction.payer, FEE_COLLECTOR, transaction.fee_lamports)
    working = Ledger(charged)
    logs: list[str] = []
    units = 0
    error: TransactionError | None = None
    for place, step in enumerate(transaction.steps):
        try:
            units += _run_step(transaction, step, working, logs, units, now_s, forced_error)
        except ProgramFailed as failed:
            units = min(units + failed.units, transaction.cu_limit)
            logs.append(f"Program {step.program} failed: {failed.text}")
            error = {"InstructionError": [place, failed.error]}
            break
    kept = charged
    if error is None:
        for address, state in working.written.items():
            charged.put(address, state)
    meta = _meta(transaction, accounts, kept, error, units, logs)
    return meta, kept


def _run_step(
    transaction: Transaction,
    step: Step,
    working: Ledger,
    logs: list[str],
    spent: int,
    now_s: int,
    forced_error: int | None,
) -> int:
    """Run one instruction and return its compute units; raises ProgramFailed."""
    logs.append(f"Program {step.program} invoke [1]")
    if step.program == COMPUTE_BUDGET_PROGRAM:
        units = _SYSTEM_UNITS
    elif step.program == seeding.SYSTEM_PROGRAM:
        units = _transfer(transaction, step, working)
    elif step.program in _PROGRAMS:
        call = Call(transaction, step, working, logs, now_s)
        if forced_error is not None:
            raise ProgramFailed.custom(forced_error, "Error forced by a fault knob")
        _PROGRAMS[step.program](call)
        units = call.units
    else:
        raise ProgramFailed("Unsupported program", "UnsupportedProgramId")
    budget = transaction.cu_limit - spent
    if units > budget:
        raise ProgramFailed(
            "exceeded CUs meter at BPF instruction", "ProgramFailedToComplete", budget
        )
    if step.program in _PROGRAMS:
        logs.append(f"Program {step.program} consumed {units} of {budget} compute units")
    logs.append(f"Program {step.program} success")
    return units


def _transfer(transaction: Transaction, step: Step, working: Ledger) -> int:
    lamports = transfer_of(step)
    if lamports is None:
        raise ProgramFailed("invalid instruction data", "InvalidInstructionData")
    source, target = step.accounts[:2]
    if source not in transaction.signers:
        raise ProgramFailed("missing required signature", "MissingRequiredSignature")
    if source not in transaction.writable or target not in transaction.writable:
        raise ProgramFailed("instruction changed a readonly account", "ReadonlyLamportChange")
    if not isinstance(working.get(target), Wallet | None):
        raise ProgramFailed("invalid account owner", "InvalidArgument")
    if working.lamports(source) < lamports:
        raise ProgramFailed.custom(_NO_LAMPORTS, "Transfer: insufficient lamports")
    working.move_lamports(source, target, lamports)
    return _SYSTEM_UNITS


def _meta(
    transaction: Transaction,
    before: Ledger,
    after: Ledger,
    error: TransactionError | None,
    units: int,
    logs: list[str],
) -> Meta:
    return Meta(
        error=error,
        fee_lamports=transaction.fee_lamports,
        units=units,
        logs=logs,
        pre_lamports=[before.lamports(key) for key in transaction.keys],
        post_lamports=[after.lamports(key) for key in transaction.keys],
        pre_tokens=_token_rows(transaction, before),
        post_tokens=_token_rows(transaction, after),
    )


def _token_rows(transaction: Transaction, accounts: Ledger) -> list[TokenRow]:
    rows = []
    for index, key in enumerate(transaction.keys):
        state = accounts.get(key)
        if isinstance(state, Token):
            rows.append(TokenRow(index, state.mint, state.owner, state.raw))
    return rows
