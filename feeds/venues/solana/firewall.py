"""The last look before signing: does this message do what was asked, and nothing else?

Reads the FINAL message bytes, whoever built them, and compares them with the swap asked
for and with configured facts about the pool and the wallet. It does not use the builder:
a builder that was led astray must not be its own witness. Every account of the message
must have a named role; every instruction must be one of the four expected (the swap itself
may be an aggregator's, which `route_firewall` reads). A refusal is `NotSent` with the
reason. Called by `trading.sign`.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import msgspec
from solders.hash import Hash
from solders.message import MessageV0, from_bytes_versioned, to_bytes_versioned

from arbsite.errors import NotSent
from feeds.venues.base import DexSwap, SwapRoute
from feeds.venues.solana.programs import (
    COMPUTE_BUDGET,
    SYSTEM_PROGRAM,
    PoolRef,
    ProgramIds,
    ammv4_authority,
    anchor_discriminator,
    associated_token_address,
    cpmm_authority,
    observation_address,
    oracle_address,
    tick_array_address,
)
from feeds.venues.solana.route_firewall import RoutePolicy, RouteWant, check_route, may_write
from feeds.venues.solana.transactions import priority_fee_lamports

_CU_LIMIT = struct.Struct("<BI")
_CU_PRICE = struct.Struct("<BQ")
_TRANSFER = struct.Struct("<IQ")
_SET_LIMIT, _SET_PRICE, _SYSTEM_TRANSFER = 2, 3, 2
_WHIRLPOOL_DATA = struct.Struct("<8sQQ16sBBB")
_CPMM_DATA = struct.Struct("<8sQQ")
_AMMV4_DATA = struct.Struct("<BQQ")
_MAX_MESSAGE_BYTES = 1232 - 65  # a packet less one signature and its count
_SWAP_V2 = anchor_discriminator("swap_v2")
_CPMM_DISCS = {
    True: anchor_discriminator("swap_base_input"),
    False: anchor_discriminator("swap_base_output"),
}
_AMMV4_TAGS = {True: 16, False: 17}  # exact in: SwapBaseInV2, exact out: SwapBaseOutV2


class FirewallLimits(msgspec.Struct, frozen=True):
    """What one transaction may cost at most, whatever was asked."""

    max_priority_lamports: int = 5_000_000
    max_tip_lamports: int = 10_000_000
    # The chain's own maximum; what the units cost is bounded by the priority fee.
    max_compute_units: int = 1_400_000


class Expectation(msgspec.Struct, frozen=True):
    """Everything the message is compared with; from configuration, not from the message."""

    swap: DexSwap
    ref: PoolRef
    wallet: str
    mints: frozenset[str]
    tip_accounts: frozenset[str]
    blockhash: str
    limits: FirewallLimits
    ids: ProgramIds
    routes: RoutePolicy = RoutePolicy()
    now_ns: int = 0


def check_message(raw: bytes, want: Expectation) -> None:
    """Refuse (NotSent) message bytes that are anything but the swap expected."""
    message = _parse(raw)
    _check_ask(want)
    keys = [str(key) for key in message.account_keys]
    header = message.header
    _must(header.num_required_signatures == 1 and keys[0] == want.wallet, "another signer")
    _must(header.num_readonly_signed_accounts == 0, "fee payer is read-only")
    _must(len(set(keys)) == len(keys), "an account is listed twice")
    _must(message.recent_blockhash == Hash.from_string(want.blockhash), "another blockhash")
    written = frozenset(key for index, key in enumerate(keys) if message.is_maybe_writable(index))
    seen: dict[str, int] = {}
    used = {0}
    # Read once: the library copies what it holds at every look.
    for instruction in message.instructions:
        accounts, program = instruction.accounts, instruction.program_id_index
        _must(program < len(keys), "program index out of range")
        _must(max(accounts, default=0) < len(keys), "account index out of range")
        used.add(program)
        used.update(accounts)
        named = [keys[index] for index in accounts]
        kind = _check_instruction(keys[program], bytes(instruction.data), named, written, want)
        seen[kind] = seen.get(kind, 0) + 1
    _must(max(seen.values(), default=0) == 1, "an instruction is repeated")
    needed = {"limit", "price", "swap"} | ({"tip"} if want.swap.tip_lamports else set())
    _must(set(seen) == needed, f"instructions are {sorted(seen)}, not {sorted(needed)}")
    _check_writables(keys, used, written, want)


def _must(condition: bool, reason: str) -> None:
    if not condition:
        raise NotSent(f"firewall: {reason}")


def _parse(raw: bytes) -> MessageV0:
    try:
        message = from_bytes_versioned(raw)
    except ValueError as error:
        raise NotSent("firewall: not a message") from error
    if not isinstance(message, MessageV0):
        raise NotSent("firewall: not a version 0 message")
    _must(to_bytes_versioned(message) == raw, "not the canonical bytes of the message")
    _must(not message.address_table_lookups, "address tables hide accounts")
    _must(len(raw) <= _MAX_MESSAGE_BYTES, f"a message of {len(raw)} bytes")
    return message


def _check_ask(want: Expectation) -> None:
    """The ask itself must stay inside the configuration."""
    swap, ref = want.swap, want.ref
    _must((swap.pool, swap.pool_kind) == (ref.address, ref.kind), "another pool")
    _must({ref.mint_a, ref.mint_b} <= want.mints, "a mint that is not ours to trade")
    _must(swap.amount_raw > 0 and swap.threshold_raw > 0, "amount or threshold is zero")
    units = swap.cu_limit
    _must(0 < units <= want.limits.max_compute_units, f"{units} compute units")
    priority = priority_fee_lamports(swap)
    _must(0 <= priority <= want.limits.max_priority_lamports, f"priority fee {priority}")
    tip = swap.tip_lamports
    _must(0 <= tip <= want.limits.max_tip_lamports, f"tip {tip}")


def _check_instruction(
    program: str, data: bytes, accounts: list[str], written: frozenset[str], want: Expectation
) -> str:
    """Refuse an instruction that is none of the expected; returns which one it is."""
    if program == COMPUTE_BUDGET:
        return _check_budget(data, accounts, want.swap)
    if program == SYSTEM_PROGRAM:
        _check_tip(data, accounts, want)
        return "tip"
    swap, ref, ids = want.swap, want.ref, want.ids
    if swap.route is not None:
        _must(program == ids.jupiter, f"program {program} is not allowed")
        check_route(data, accounts, written, _route_want(want, swap.route))
        return "swap"
    if program == ids.whirlpool and ref.kind == "whirlpool":
        _check_whirlpool_data(data, swap)
        starts = swap.tick_array_starts
        _check_roles(accounts, _whirlpool_roles(ref, want.wallet, starts, ids))
        return "swap"
    if program == ids.cpmm and ref.kind == "cpmm":
        _check_cpmm_data(data, swap)
        _check_roles(accounts, _cpmm_roles(ref, want.wallet, swap.a_to_b, ids))
        return "swap"
    if program == ids.ammv4 and ref.kind == "ammv4":
        _check_ammv4_data(data, swap)
        _check_roles(accounts, _ammv4_roles(ref, want.wallet, swap.a_to_b, ids))
        return "swap"
    raise NotSent(f"firewall: program {program} is not allowed")


def _check_budget(data: bytes, accounts: list[str], swap: DexSwap) -> str:
    _must(not accounts, "compute budget with accounts")
    if data == _CU_LIMIT.pack(_SET_LIMIT, swap.cu_limit):
        return "limit"
    if data == _CU_PRICE.pack(_SET_PRICE, swap.cu_price_micro_lamports):
        return "price"
    raise NotSent("firewall: compute limit or price is not the one asked")


def _check_tip(data: bytes, accounts: list[str], want: Expectation) -> None:
    is_asked = data == _TRANSFER.pack(_SYSTEM_TRANSFER, want.swap.tip_lamports)
    _must(is_asked, "native transfer that is not the tip asked")
    _must(len(accounts) == 2 and accounts[0] == want.wallet, "tip from another account")
    _must(accounts[1] in want.tip_accounts, f"tip to {accounts[1]}")


def _check_whirlpool_data(data: bytes, swap: DexSwap) -> None:
    _must(len(data) == _WHIRLPOOL_DATA.size, "swap arguments have another length")
    disc, amount, threshold, limit, exact_in, a_to_b, extras = _WHIRLPOOL_DATA.unpack(data)
    _must(disc == _SWAP_V2, "not swap_v2")
    _must(amount == swap.amount_raw, f"amount {amount}")
    _must(threshold == swap.threshold_raw, f"threshold {threshold}")
    # A price limit would turn exact-in into a silent partial fill.
    _must(limit == bytes(16), "a price limit")
    _must((exact_in, a_to_b) == (swap.exact_in, swap.a_to_b), "another direction")
    _must(extras == 0, "extra accounts")


def _check_cpmm_data(data: bytes, swap: DexSwap) -> None:
    _must(len(data) == _CPMM_DATA.size, "swap arguments have another length")
    disc, first, second = _CPMM_DATA.unpack(data)
    name = "swap_base_input" if swap.exact_in else "swap_base_output"
    _must(disc == _CPMM_DISCS[swap.exact_in], f"not {name}")
    amount, threshold = (first, second) if swap.exact_in else (second, first)
    _must(amount == swap.amount_raw, f"amount {amount}")
    _must(threshold == swap.threshold_raw, f"threshold {threshold}")


def _check_ammv4_data(data: bytes, swap: DexSwap) -> None:
    _must(len(data) == _AMMV4_DATA.size, "swap arguments have another length")
    tag, first, second = _AMMV4_DATA.unpack(data)
    _must(tag == _AMMV4_TAGS[swap.exact_in], f"instruction tag {tag}")
    amount, threshold = (first, second) if swap.exact_in else (second, first)
    _must(amount == swap.amount_raw, f"amount {amount}")
    _must(threshold == swap.threshold_raw, f"threshold {threshold}")


# What follows is a function of configuration alone and the same for many swaps.
Roles = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def _whirlpool_roles(ref: PoolRef, wallet: str, starts: tuple[int, ...], ids: ProgramIds) -> Roles:
    _must(1 <= len(starts) <= 3, "one to three tick arrays")
    starts += starts[-1:] * (3 - len(starts))
    span = 88 * ref.tick_spacing
    _must(span > 0 and all(start % span == 0 for start in starts), "tick array start")
    return (
        ("token program a", ids.token),
        ("token program b", ids.token),
        ("memo program", ids.memo),
        ("authority", wallet),
        ("pool", ref.address),
        ("mint a", ref.mint_a),
        ("mint b", ref.mint_b),
        ("own account a", associated_token_address(wallet, ref.mint_a, ids)),
        ("vault a", ref.vault_a),
        ("own account b", associated_token_address(wallet, ref.mint_b, ids)),
        ("vault b", ref.vault_b),
        *(("tick array", tick_array_address(ref.address, start, ids)) for start in starts),
        ("oracle", oracle_address(ref.address, ids)),
    )


@lru_cache(maxsize=1024)
def _cpmm_roles(ref: PoolRef, wallet: str, a_to_b: bool, ids: ProgramIds) -> Roles:
    a = (associated_token_address(wallet, ref.mint_a, ids), ref.vault_a, ref.mint_a)
    b = (associated_token_address(wallet, ref.mint_b, ids), ref.vault_b, ref.mint_b)
    (own_in, vault_in, mint_in), (own_out, vault_out, mint_out) = (a, b) if a_to_b else (b, a)
    return (
        ("payer", wallet),
        ("authority", cpmm_authority(ids)),
        ("configuration", ref.amm_config),
        ("pool", ref.address),
        ("own input account", own_in),
        ("own output account", own_out),
        ("input vault", vault_in),
        ("output vault", vault_out),
        ("input token program", ids.token),
        ("output token program", ids.token),
        ("input mint", mint_in),
        ("output mint", mint_out),
        ("observation", observation_address(ref.address, ids)),
    )


@lru_cache(maxsize=1024)
def _ammv4_roles(ref: PoolRef, wallet: str, a_to_b: bool, ids: ProgramIds) -> Roles:
    # The program takes the direction from these two accounts: their order is the trade.
    mints = (ref.mint_a, ref.mint_b) if a_to_b else (ref.mint_b, ref.mint_a)
    own_in, own_out = (associated_token_address(wallet, mint, ids) for mint in mints)
    return (
        ("token program", ids.token),
        ("pool", ref.address),
        ("authority", ammv4_authority(ids)),
        ("vault a", ref.vault_a),
        ("vault b", ref.vault_b),
        ("own input account", own_in),
        ("own output account", own_out),
        ("owner", wallet),
    )


def _check_roles(accounts: list[str], roles: Roles) -> None:
    _must(len(accounts) == len(roles), f"{len(accounts)} swap accounts, not {len(roles)}")
    for account, (role, expected) in zip(accounts, roles, strict=True):
        if account != expected:
            raise NotSent(f"firewall: {role} is {account}")


def _route_want(want: Expectation, route: SwapRoute) -> RouteWant:
    return RouteWant(
        want.swap, route, want.ref, want.wallet, want.mints, want.routes, want.now_ns, want.ids
    )


def _check_writables(
    keys: list[str], used: set[int], written: frozenset[str], want: Expectation
) -> None:
    """Exactly what the swap must write is writable, least of all anything else of ours.

    `used` are the indexes of the fee payer and of whatever an instruction names.
    """
    for index, key in enumerate(keys):
        if index not in used:
            raise NotSent(f"firewall: account {key} has no role")
    swap = want.swap
    tips = want.tip_accounts if swap.tip_lamports else frozenset()
    if swap.route is not None:
        route = _route_want(want, swap.route)
        for key in keys:
            if key in written and key not in tips:
                _must(may_write(key, route), f"account {key} is writable")
        return
    allowed = _swap_writables(want.ref, want.wallet, swap.tick_array_starts, want.ids) | tips
    for key in keys:
        if (key in written) != (key in allowed):
            word = "writable" if key in written else "read-only"
            raise NotSent(f"firewall: account {key} is {word}")


@lru_cache(maxsize=1024)
def _swap_writables(
    ref: PoolRef, wallet: str, starts: tuple[int, ...], ids: ProgramIds
) -> frozenset[str]:
    """Everything a direct swap writes."""
    allowed = {wallet, ref.address, ref.vault_a, ref.vault_b}
    allowed |= {associated_token_address(wallet, mint, ids) for mint in (ref.mint_a, ref.mint_b)}
    if ref.kind == "whirlpool":
        allowed.add(oracle_address(ref.address, ids))
        allowed |= {tick_array_address(ref.address, start, ids) for start in starts}
    elif ref.kind == "cpmm":
        allowed.add(observation_address(ref.address, ids))
    return frozenset(allowed)
