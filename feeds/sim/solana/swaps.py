"""The two swap programs: accounts checked in their order, exact math, tokens moved, logs.

Instruction data and account lists are decoded here from the programs' published layouts,
not with the trading adapter's builders, so that building and executing prove each other.
A breach raises `ProgramFailed` with the deployed program's code. Called by solana_runtime.
"""

from __future__ import annotations

import struct
from hashlib import sha256

import msgspec

from feeds.market import clmm, cpmm
from feeds.market.pools import CpmmPool, QuoteRefused, Swap, TickArray, Whirlpool
from feeds.sim import seeding
from feeds.sim.solana.accounts import Core, Ledger, Token
from feeds.sim.solana.transactions import Step, Transaction
from feeds.venues.solana import layouts

MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"

# Anchor's own codes.
_UNKNOWN_INSTRUCTION = 101
_BAD_INSTRUCTION_DATA = 102
_NOT_MUTABLE = 2000
_RAW_CONSTRAINT = 2003
_WRONG_SEEDS = 2006
_WRONG_ADDRESS = 2012
_TOO_FEW_ACCOUNTS = 3005
_WRONG_OWNER = 3007
_WRONG_PROGRAM_ID = 3008
_NOT_A_SIGNER = 3010
_NOT_INITIALIZED = 3012
# The token program's.
_TOKEN_INSUFFICIENT_FUNDS = 1
_TOKEN_OWNER_MISMATCH = 4
# Whirlpool's and CPMM's.
_WHIRLPOOL_BELOW_MINIMUM = 6036
_WHIRLPOOL_ABOVE_MAXIMUM = 6037
_WHIRLPOOL_FOREIGN_ARRAY = 6055
_CPMM_SLIPPAGE = 6005

# Measured on the deployed programs: least a swap costs, and about what a crossing adds.
_WHIRLPOOL_UNITS = 40_000
_UNITS_PER_CROSSING = 9_000
_CPMM_UNITS = 33_000

_SWAP_ARGS = struct.Struct("<QQQQ??")
_PAIR = struct.Struct("<QQ")
_MAX_SUPPLEMENTAL = 3
_SUPPLEMENTAL_ARRAYS = 6


def anchor_discriminator(name: str) -> bytes:
    """The first eight bytes of an Anchor instruction."""
    return sha256(f"global:{name}".encode()).digest()[:8]


_SWAP = anchor_discriminator("swap")
_SWAP_V2 = anchor_discriminator("swap_v2")
_SWAP_BASE_INPUT = anchor_discriminator("swap_base_input")
_SWAP_BASE_OUTPUT = anchor_discriminator("swap_base_output")


class ProgramFailed(Exception):
    """An instruction failed: `error` as RPC shows it, `text` as the log says it."""

    def __init__(self, text: str, error: str | dict[str, int], units: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.error = error
        self.units = units

    @classmethod
    def custom(cls, code: int, _why: str, units: int = 0) -> ProgramFailed:
        """A program's own numbered error."""
        return cls(f"custom program error: {code:#x}", {"Custom": code}, units)


class Call:
    """One running instruction of a swap program."""

    def __init__(
        self, transaction: Transaction, step: Step, accounts: Ledger, logs: list[str], now_s: int
    ) -> None:
        self.transaction = transaction
        self.step = step
        self.accounts = accounts
        self.logs = logs
        self.now_s = now_s
        self.units = 0

    def fail(self, code: int, why: str) -> ProgramFailed:
        """Log as an Anchor program does; the caller raises what is returned."""
        self.logs.append(f"Program log: AnchorError occurred. Error Number: {code}. {why}.")
        return ProgramFailed.custom(code, why, max(self.units, 5_000))

    def require(self, is_met: bool, code: int, why: str) -> None:
        """Fail with `code` unless the condition holds."""
        if not is_met:
            raise self.fail(code, why)

    def require_writable(self, *addresses: str) -> None:
        """Fail as Anchor does when an account that must change is read-only."""
        for address in addresses:
            self.require(
                address in self.transaction.writable, _NOT_MUTABLE, f"{address} is not mutable"
            )

    def token_account(self, address: str, mint: str) -> Token:
        """A token account of that mint."""
        state = self.accounts.get(address)
        if not isinstance(state, Token):
            is_other = state is not None
            code = _WRONG_OWNER if is_other else _NOT_INITIALIZED
            raise self.fail(code, f"{address} is no token account")
        self.require(state.mint == mint, _RAW_CONSTRAINT, f"{address} holds another mint")
        return state

    def pay(self, authority: str, source: str, vault: str, raw: int) -> None:
        """Move the user's tokens in, by the token program's rules."""
        giver = self.accounts.get(source)
        assert isinstance(giver, Token)
        if giver.owner != authority:
            raise ProgramFailed.custom(_TOKEN_OWNER_MISMATCH, "owner does not match", self.units)
        if giver.raw < raw:
            self.logs.append("Program log: Error: insufficient funds")
            raise ProgramFailed.custom(_TOKEN_INSUFFICIENT_FUNDS, "insufficient", self.units)
        self.accounts.move_token(source, vault, raw)

    def pay_out(self, vault: str, target: str, raw: int) -> None:
        """Move the pool's tokens out."""
        if self.accounts.raw(vault) < raw:
            raise ProgramFailed.custom(_TOKEN_INSUFFICIENT_FUNDS, "vault is short", self.units)
        self.accounts.move_token(vault, target, raw)


class _Hop(msgspec.Struct, frozen=True):
    """A decoded Whirlpool swap."""

    amount: int
    threshold: int
    sqrt_price_limit: int
    exact_in: bool
    a_to_b: bool
    supplemental: int = 0


class _HopAccounts(msgspec.Struct, frozen=True):
    authority: str
    pool: str
    owner_a: str
    vault_a: str
    owner_b: str
    vault_b: str
    arrays: tuple[str, ...]
    oracle: str


def whirlpool_swap(call: Call) -> None:
    """Execute `swap` or `swap_v2`."""
    disc = call.step.data[:8]
    if disc == _SWAP_V2:
        call.logs.append("Program log: Instruction: SwapV2")
        hop, accounts = _decode_swap_v2(call)
    elif disc == _SWAP:
        call.logs.append("Program log: Instruction: Swap")
        hop, accounts = _decode_swap(call)
    else:
        raise call.fail(_UNKNOWN_INSTRUCTION, "InstructionFallbackNotFound")
    core = call.accounts.get(accounts.pool)
    if not isinstance(core, Core) or not isinstance(core.pool, Whirlpool):
        raise call.fail(_WRONG_OWNER, "AccountOwnedByWrongProgram: whirlpool")
    pool = core.pool
    _check_whirlpool_accounts(call, accounts, pool)
    arrays = _carried(call, pool, hop.a_to_b, accounts.arrays)
    found = clmm.swap(
        pool,
        hop.amount,
        exact_in=hop.exact_in,
        a_to_b=hop.a_to_b,
        now_s=call.now_s,
        sqrt_price_limit=hop.sqrt_price_limit,
        arrays=arrays,
    )
    if isinstance(found, QuoteRefused):
        raise _refusal(call, found)
    call.units = _WHIRLPOOL_UNITS + _UNITS_PER_CROSSING * found.crossings
    if hop.exact_in:
        call.require(found.amount_out >= hop.threshold, _WHIRLPOOL_BELOW_MINIMUM, "AmountOutBelow")
    else:
        call.require(found.amount_in <= hop.threshold, _WHIRLPOOL_ABOVE_MAXIMUM, "AmountInAbove")
    _settle_whirlpool(call, accounts, pool, found, hop.a_to_b)


def _decode_swap_v2(call: Call) -> tuple[_Hop, _HopAccounts]:
    keys = call.step.accounts
    call.require(len(keys) >= 15, _TOO_FEW_ACCOUNTS, "AccountNotEnoughKeys")
    programs_fit = keys[0] == keys[1] == seeding.SPL_PROGRAM and keys[2] == MEMO_PROGRAM
    call.require(programs_fit, _WRONG_PROGRAM_ID, "InvalidProgramId")
    data = call.step.data[8:]
    call.require(len(data) >= _SWAP_ARGS.size + 1, _BAD_INSTRUCTION_DATA, "DidNotDeserialize")
    hop = _hop(call, data[: _SWAP_ARGS.size])
    supplemental = _supplemental(call, data[_SWAP_ARGS.size :])
    core = call.accounts.get(keys[4])
    if isinstance(core, Core):
        mints = (core.pool.mint_a, core.pool.mint_b)
        call.require(keys[5:7] == mints, _WRONG_ADDRESS, "ConstraintAddress: mint")
    extra = keys[15 : 15 + supplemental]
    call.require(len(extra) == supplemental, _TOO_FEW_ACCOUNTS, "RemainingAccounts")
    return hop, _HopAccounts(
        keys[3], keys[4], keys[7], keys[8], keys[9], keys[10], keys[11:14] + extra, keys[14]
    )


def _decode_swap(call: Call) -> tuple[_Hop, _HopAccounts]:
    keys = call.step.accounts
    call.require(len(keys) >= 11, _TOO_FEW_ACCOUNTS, "AccountNotEnoughKeys")
    call.require(keys[0] == seeding.SPL_PROGRAM, _WRONG_PROGRAM_ID, "InvalidProgramId")
    data = call.step.data[8:]
    call.require(len(data) == _SWAP_ARGS.size, _BAD_INSTRUCTION_DATA, "DidNotDeserialize")
    return _hop(call, data), _HopAccounts(
        keys[1], keys[2], keys[3], keys[4], keys[5], keys[6], keys[7:10], keys[10]
    )


def _hop(call: Call, data: bytes) -> _Hop:
    call.require(max(data[32:34]) <= 1, _BAD_INSTRUCTION_DATA, "DidNotDeserialize")
    amount, threshold, low, high, exact_in, a_to_b = _SWAP_ARGS.unpack(data)
    return _Hop(amount, threshold, low | high << 64, exact_in, a_to_b)


def _supplemental(call: Call, tail: bytes) -> int:
    """Number of supplemental tick arrays named by the optional remaining-accounts block."""
    if tail == b"\x00":
        return 0
    is_slices = tail[:1] == b"\x01" and len(tail) >= 5
    call.require(is_slices, _BAD_INSTRUCTION_DATA, "DidNotDeserialize")
    count = int.from_bytes(tail[1:5], "little")
    slices = tail[5:]
    is_known = count == 1 and len(slices) == 2 and slices[0] == _SUPPLEMENTAL_ARRAYS
    call.require(is_known, _BAD_INSTRUCTION_DATA, "RemainingAccountsInvalidSlice")
    call.require(slices[1] <= _MAX_SUPPLEMENTAL, _BAD_INSTRUCTION_DATA, "TooManySupplemental")
    return slices[1]


def _check_whirlpool_accounts(call: Call, accounts: _HopAccounts, pool: Whirlpool) -> None:
    call.require(accounts.authority in call.transaction.signers, _NOT_A_SIGNER, "AccountNotSigner")
    call.require_writable(
        accounts.pool, accounts.owner_a, accounts.vault_a, accounts.owner_b, accounts.vault_b,
        *accounts.arrays,
    )  # fmt: skip
    vaults_fit = (accounts.vault_a, accounts.vault_b) == (pool.vault_a, pool.vault_b)
    call.require(vaults_fit, _WRONG_ADDRESS, "ConstraintAddress: vault")
    call.token_account(accounts.owner_a, pool.mint_a)
    call.token_account(accounts.owner_b, pool.mint_b)
    call.require(accounts.oracle == seeding.oracle_of(pool.address), _WRONG_SEEDS, "oracle")


def _carried(
    call: Call, pool: Whirlpool, a_to_b: bool, addresses: tuple[str, ...]
) -> tuple[TickArray, ...]:
    """The arrays the program walks: its own three in order, up to the first not carried.

    Accounts that do not exist count as empty arrays when they lie at the right address.
    """
    wanted = {
        seeding.tick_array_of(pool.address, start): start
        for direction in (True, False)
        for start in clmm.arrays_for_swap(pool, direction)
    }
    for address in addresses:
        state = call.accounts.get(address)
        is_ours = state is None or getattr(state, "whirlpool", "") == pool.address
        call.require(is_ours, _WHIRLPOOL_FOREIGN_ARRAY, "DifferentWhirlpoolTickArrayAccount")
    carried = {wanted[address] for address in addresses if address in wanted}
    walk = []
    for start in clmm.arrays_for_swap(pool, a_to_b):
        if start not in carried:
            break
        walk.append(call.accounts.array(pool.address, start))
    return tuple(walk)


def _refusal(call: Call, refused: QuoteRefused) -> ProgramFailed:
    if refused.code is not None:
        return call.fail(refused.code, refused.cause)
    return ProgramFailed(refused.cause, "ProgramFailedToComplete", call.transaction.cu_limit)


def _settle_whirlpool(
    call: Call, accounts: _HopAccounts, pool: Whirlpool, swap: Swap, a_to_b: bool
) -> None:
    sides = [(accounts.owner_a, accounts.vault_a), (accounts.vault_b, accounts.owner_b)]
    if not a_to_b:
        sides = [(accounts.owner_b, accounts.vault_b), (accounts.vault_a, accounts.owner_a)]
    (source, vault_in), (vault_out, target) = sides
    call.pay(accounts.authority, source, vault_in, swap.amount_in)
    call.pay_out(vault_out, target, swap.amount_out)
    after = swap.after
    assert isinstance(after, Whirlpool)
    call.accounts.put_pool(after)
    owed_before = pool.protocol_fee_owed_a + pool.protocol_fee_owed_b
    protocol_fee = after.protocol_fee_owed_a + after.protocol_fee_owed_b - owed_before
    event = layouts.Traded(
        pool.address, a_to_b, pool.sqrt_price, after.sqrt_price, swap.amount_in, swap.amount_out,
        0, 0, swap.fee - protocol_fee, protocol_fee,
    )  # fmt: skip
    call.logs.append(layouts.traded_log_line(event))


def cpmm_swap(call: Call) -> None:
    """Execute `swap_base_input` or `swap_base_output`."""
    disc, keys = call.step.data[:8], call.step.accounts
    call.require(disc in (_SWAP_BASE_INPUT, _SWAP_BASE_OUTPUT), _UNKNOWN_INSTRUCTION, "Fallback")
    exact_in = disc == _SWAP_BASE_INPUT
    name = "SwapBaseInput" if exact_in else "SwapBaseOutput"
    call.logs.append(f"Program log: Instruction: {name}")
    call.require(len(keys) >= 13, _TOO_FEW_ACCOUNTS, "AccountNotEnoughKeys")
    call.require(len(call.step.data) == 24, _BAD_INSTRUCTION_DATA, "DidNotDeserialize")
    first, second = _PAIR.unpack_from(call.step.data, 8)
    core = call.accounts.get(keys[3])
    if not isinstance(core, Core) or not isinstance(core.pool, CpmmPool):
        raise call.fail(_WRONG_OWNER, "AccountOwnedByWrongProgram: pool_state")
    a_to_b = _check_cpmm_accounts(call, core.pool)
    pool = call.accounts.pool(keys[3])
    assert isinstance(pool, CpmmPool)
    amount, threshold = (first, second) if exact_in else (second, first)
    found = cpmm.swap(pool, amount, exact_in=exact_in, a_to_b=a_to_b, now_s=call.now_s)
    call.units = _CPMM_UNITS
    if isinstance(found, QuoteRefused):
        raise _refusal(call, found)
    if exact_in:
        call.require(found.amount_out >= threshold, _CPMM_SLIPPAGE, "ExceededSlippage")
    else:
        call.require(found.amount_in <= threshold, _CPMM_SLIPPAGE, "ExceededSlippage")
    call.pay(keys[0], keys[4], keys[6], found.amount_in)
    call.pay_out(keys[7], keys[5], found.amount_out)
    call.accounts.put_pool(found.after)


def _check_cpmm_accounts(call: Call, pool: CpmmPool) -> bool:
    """Check the account list; return whether token a goes in."""
    payer, authority, config, _, user_in, user_out = call.step.accounts[:6]
    vault_in, vault_out, program_in, program_out, mint_in, mint_out, observation = (
        call.step.accounts[6:13]
    )
    call.require(payer in call.transaction.signers, _NOT_A_SIGNER, "AccountNotSigner")
    call.require(authority == seeding.cpmm_authority(), _WRONG_SEEDS, "authority")
    call.require(config == pool.amm_config, _WRONG_ADDRESS, "amm_config")
    call.require(observation == pool.observation, _WRONG_ADDRESS, "observation")
    call.require_writable(pool.address, user_in, user_out, vault_in, vault_out, observation)
    is_known = (vault_in, vault_out) in (
        (pool.vault_a, pool.vault_b),
        (pool.vault_b, pool.vault_a),
    )
    call.require(is_known, _RAW_CONSTRAINT, "vaults")
    a_to_b = vault_in == pool.vault_a
    mints = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
    call.require((mint_in, mint_out) == mints, _WRONG_ADDRESS, "mints")
    is_classic = program_in == program_out == seeding.SPL_PROGRAM
    call.require(is_classic, _WRONG_PROGRAM_ID, "InvalidProgramId")
    call.token_account(user_in, mints[0])
    call.token_account(user_out, mints[1])
    return a_to_b
