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

import msgspec
from solders.hash import Hash
from solders.instruction import CompiledInstruction
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
    seen: dict[str, int] = {}
    for instruction in message.instructions:
        _must(instruction.program_id_index < len(keys), "program index out of range")
        _must(max(instruction.accounts, default=0) < len(keys), "account index out of range")
        kind = _check_instruction(instruction, message, keys, want)
        seen[kind] = seen.get(kind, 0) + 1
    _must(max(seen.values(), default=0) == 1, "an instruction is repeated")
    needed = {"limit", "price", "swap"} | ({"tip"} if want.swap.tip_lamports else set())
    _must(set(seen) == needed, f"instructions are {sorted(seen)}, not {sorted(needed)}")
    _check_writables(message, keys, want)


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
    instruction: CompiledInstruction, message: MessageV0, keys: list[str], want: Expectation
) -> str:
    program = keys[instruction.program_id_index]
    data = bytes(instruction.data)
    accounts = [keys[index] for index in instruction.accounts]
    if program == COMPUTE_BUDGET:
        return _check_budget(data, accounts, want.swap)
    if program == SYSTEM_PROGRAM:
        _check_tip(data, accounts, want)
        return "tip"
    route = want.swap.route
    if route is not None:
        _must(program == want.ids.jupiter, f"program {program} is not allowed")
        written = (key for index, key in enumerate(keys) if message.is_maybe_writable(index))
        check_route(data, accounts, frozenset(written), _route_want(want, route))
        return "swap"
    if program == want.ids.whirlpool and want.ref.kind == "whirlpool":
        _check_whirlpool_data(data, want.swap)
        _check_roles(accounts, _whirlpool_roles(want))
        return "swap"
    if program == want.ids.cpmm and want.ref.kind == "cpmm":
        _check_cpmm_data(data, want.swap)
        _check_roles(accounts, _cpmm_roles(want))
        return "swap"
    if program == want.ids.ammv4 and want.ref.kind == "ammv4":
        _check_ammv4_data(data, want.swap)
        _check_roles(accounts, _ammv4_roles(want))
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
    _must(disc == anchor_discriminator("swap_v2"), "not swap_v2")
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
    _must(disc == anchor_discriminator(name), f"not {name}")
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


def _whirlpool_roles(want: Expectation) -> list[tuple[str, str]]:
    ref, ids = want.ref, want.ids
    starts = want.swap.tick_array_starts
    _must(1 <= len(starts) <= 3, "one to three tick arrays")
    starts += starts[-1:] * (3 - len(starts))
    span = 88 * ref.tick_spacing
    _must(span > 0 and all(start % span == 0 for start in starts), "tick array start")
    return [
        ("token program a", ids.token),
        ("token program b", ids.token),
        ("memo program", ids.memo),
        ("authority", want.wallet),
        ("pool", ref.address),
        ("mint a", ref.mint_a),
        ("mint b", ref.mint_b),
        ("own account a", associated_token_address(want.wallet, ref.mint_a, ids)),
        ("vault a", ref.vault_a),
        ("own account b", associated_token_address(want.wallet, ref.mint_b, ids)),
        ("vault b", ref.vault_b),
        *(("tick array", tick_array_address(ref.address, start, ids)) for start in starts),
        ("oracle", oracle_address(ref.address, ids)),
    ]


def _cpmm_roles(want: Expectation) -> list[tuple[str, str]]:
    ref, ids, wallet = want.ref, want.ids, want.wallet
    a = (associated_token_address(wallet, ref.mint_a, ids), ref.vault_a, ref.mint_a)
    b = (associated_token_address(wallet, ref.mint_b, ids), ref.vault_b, ref.mint_b)
    (own_in, vault_in, mint_in), (own_out, vault_out, mint_out) = (
        (a, b) if want.swap.a_to_b else (b, a)
    )
    return [
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
    ]


def _ammv4_roles(want: Expectation) -> list[tuple[str, str]]:
    ref, ids, wallet = want.ref, want.ids, want.wallet
    # The program takes the direction from these two accounts: their order is the trade.
    mints = (ref.mint_a, ref.mint_b) if want.swap.a_to_b else (ref.mint_b, ref.mint_a)
    own_in, own_out = (associated_token_address(wallet, mint, ids) for mint in mints)
    return [
        ("token program", ids.token),
        ("pool", ref.address),
        ("authority", ammv4_authority(ids)),
        ("vault a", ref.vault_a),
        ("vault b", ref.vault_b),
        ("own input account", own_in),
        ("own output account", own_out),
        ("owner", wallet),
    ]


def _check_roles(accounts: list[str], roles: list[tuple[str, str]]) -> None:
    _must(len(accounts) == len(roles), f"{len(accounts)} swap accounts, not {len(roles)}")
    for account, (role, expected) in zip(accounts, roles, strict=True):
        _must(account == expected, f"{role} is {account}")


def _route_want(want: Expectation, route: SwapRoute) -> RouteWant:
    return RouteWant(
        want.swap, route, want.ref, want.wallet, want.mints, want.routes, want.now_ns, want.ids
    )


def _check_writables(message: MessageV0, keys: list[str], want: Expectation) -> None:
    """Exactly what the swap must write is writable, least of all anything else of ours."""
    used = {index for instruction in message.instructions for index in instruction.accounts}
    used |= {instruction.program_id_index for instruction in message.instructions}
    tips = want.tip_accounts if want.swap.tip_lamports else frozenset()
    route = want.swap.route
    allowed = _swap_writables(want) | tips
    for index, key in enumerate(keys):
        _must(index == 0 or index in used, f"account {key} has no role")
        is_writable = message.is_maybe_writable(index)
        word = "writable" if is_writable else "read-only"
        if route is None:
            _must(is_writable == (key in allowed), f"account {key} is {word}")
        elif is_writable:
            is_fit = key in tips or may_write(key, _route_want(want, route))
            _must(is_fit, f"account {key} is {word}")


def _swap_writables(want: Expectation) -> frozenset[str]:
    """Everything a direct swap writes."""
    ref = want.ref
    allowed = {want.wallet, ref.address, ref.vault_a, ref.vault_b}
    allowed |= {
        associated_token_address(want.wallet, m, want.ids) for m in (ref.mint_a, ref.mint_b)
    }
    if ref.kind == "whirlpool":
        allowed.add(oracle_address(ref.address, want.ids))
        starts = want.swap.tick_array_starts
        allowed |= {tick_array_address(ref.address, start, want.ids) for start in starts}
    elif ref.kind == "cpmm":
        allowed.add(observation_address(ref.address, want.ids))
    return frozenset(allowed)
