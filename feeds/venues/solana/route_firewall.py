"""The last look at a pre-built Jupiter instruction: is it our swap on an allowed route?

Part of the signing firewall (`firewall.check_message` calls it with the final bytes). The
program gets the wallet's signature, so everything it is told is checked: own token
accounts as source and target and nowhere else, no fee to anybody, the amount asked, a
least output not below the intent's, known swap kinds only, and, when the route is pinned,
the accounts of exactly one pool. A refusal is `NotSent` with the reason.
"""

from __future__ import annotations

import msgspec

from arbsite.errors import FeedCorrupt, NotSent
from feeds.venues.base import DexSwap, SwapRoute
from feeds.venues.solana.jupiter_layouts import RouteCall, RouteHead, decode_route, head_of
from feeds.venues.solana.programs import (
    PoolKind,
    PoolRef,
    ProgramIds,
    ammv4_authority,
    associated_token_address,
    cpmm_authority,
    jupiter_event_authority,
    observation_address,
    oracle_address,
    tick_array_address,
)

MAX_TICK_ARRAYS = 16
_MS = 1_000_000


class RoutePolicy(msgspec.Struct, frozen=True):
    """Which aggregator routes may be signed. The default allows none.

    A route is one hop with the whole input: two would need a third token account. `dexes`
    are the pool kinds it may use; a pinned one goes through the intent's own pool. Else any
    pool of those kinds will do, and `accounts` lists further read-only accounts that an
    operator has verified.
    """

    dexes: frozenset[PoolKind] = frozenset()
    is_pinned: bool = True
    max_slippage_bps: int = 100
    max_age_ms: int = 1_500
    accounts: frozenset[str] = frozenset()


class RouteWant(msgspec.Struct, frozen=True):
    """What the instruction is compared with; nothing of it comes from the aggregator.

    `route` is only asked for its age. `own_accounts` are all token accounts of the wallet.
    """

    swap: DexSwap
    route: SwapRoute
    ref: PoolRef
    wallet: str
    mints: frozenset[str]
    policy: RoutePolicy
    now_ns: int
    ids: ProgramIds


def check_route(
    data: bytes, accounts: list[str], writable: frozenset[str], want: RouteWant
) -> None:
    """Refuse (NotSent) a Jupiter instruction that is anything but the swap expected.

    `accounts` are its accounts in order, `writable` those the whole message may write.
    """
    _check_age(want)
    try:
        call = decode_route(data)
        head = head_of(call.form, accounts)
    except FeedCorrupt as error:
        raise NotSent(f"firewall: {error}") from error
    _check_terms(call, want)
    _check_head(head, want)
    _check_rest(head, writable, want)


def may_write(account: str, want: RouteWant) -> bool:
    """Whether the message may write that account (tip accounts are the caller's)."""
    if account == want.wallet or account in _own_pair(want):
        return True
    if want.policy.is_pinned:
        return account in _pool_writables(want)
    return account not in own_accounts(want) and account not in _readonly_cast(want)


def own_accounts(want: RouteWant) -> frozenset[str]:
    """Return the wallet's token accounts of every mint it trades."""
    return frozenset(
        associated_token_address(want.wallet, mint, want.ids)
        for mint in want.mints | {want.ref.mint_a, want.ref.mint_b}
    )


def _must(condition: bool, reason: str) -> None:
    if not condition:
        raise NotSent(f"firewall: {reason}")


def _check_age(want: RouteWant) -> None:
    age_ns = want.now_ns - want.route.asked_at_ns
    _must(0 <= age_ns <= want.policy.max_age_ms * _MS, f"route is {age_ns // _MS} ms old")


def _check_terms(call: RouteCall, want: RouteWant) -> None:
    swap, policy = want.swap, want.policy
    _must(swap.exact_in, "a route with an exact output")
    _must(call.amount_in == swap.amount_raw, f"amount {call.amount_in}")
    _must(call.platform_fee_bps == 0, f"platform fee {call.platform_fee_bps} bps")
    surplus = call.positive_slippage_bps
    _must(surplus == 0, f"{surplus} bps of a better price go to another")
    _must(call.slippage_bps <= policy.max_slippage_bps, f"slippage {call.slippage_bps} bps")
    _must(call.min_out >= swap.threshold_raw, f"least output {call.min_out}")
    _must(bool(policy.dexes), "routes are not allowed")
    _must(len(call.hops) == 1, f"{len(call.hops)} hops")
    (hop,) = call.hops
    _must(hop.kind in policy.dexes, f"a hop through {hop.kind}")
    _must(not policy.is_pinned or hop.kind == want.ref.kind, f"a hop through {hop.kind}")
    _must(hop.is_whole, "a hop with a part of the input")
    _must((hop.input_index, hop.output_index) == (0, 1), "a hop that leads elsewhere")
    # In another pool the two mints may stand the other way round.
    is_same_way = hop.a_to_b in (None, swap.a_to_b)
    _must(is_same_way or not policy.is_pinned, "another direction")


def _own_pair(want: RouteWant) -> tuple[str, str]:
    """Own source and target of the swap."""
    source, target = _mint_pair(want)
    return (
        associated_token_address(want.wallet, source, want.ids),
        associated_token_address(want.wallet, target, want.ids),
    )


def _mint_pair(want: RouteWant) -> tuple[str, str]:
    ref = want.ref
    return (ref.mint_a, ref.mint_b) if want.swap.a_to_b else (ref.mint_b, ref.mint_a)


def _check_head(head: RouteHead, want: RouteWant) -> None:
    ids = want.ids
    source, target = _own_pair(want)
    mint_in, mint_out = _mint_pair(want)
    _must(head.authority == want.wallet, f"authority is {head.authority}")
    _must(head.source == source, f"source is {head.source}")
    _must(head.target == target, f"target is {head.target}")
    _must(head.mints[0] in (None, mint_in), f"input mint is {head.mints[0]}")
    _must(head.mints[1] == mint_out, f"output mint is {head.mints[1]}")
    for program in head.token_programs:
        _must(program == ids.token, f"token program is {program}")
    for account in head.optional:
        # Left out: another destination or a fee account could only cost us.
        _must(account == ids.jupiter, f"optional account {account}")
    _must(head.event_authority == jupiter_event_authority(ids), "event authority")
    _must(head.program == ids.jupiter, f"program is {head.program}")


def _check_rest(head: RouteHead, writable: frozenset[str], want: RouteWant) -> None:
    """The hop's accounts: ours only as source and target, and of the pool when pinned."""
    own = own_accounts(want)
    pair = set(_own_pair(want))
    known = _readonly_cast(want) | want.policy.accounts
    of_pool = _pool_writables(want)
    for account in head.rest:
        _must(account not in own or account in pair, f"own account {account} in a hop")
        is_foreign_state = not want.policy.is_pinned and account in writable
        has_role = account in known or account in of_pool or account in pair
        _must(has_role or is_foreign_state, f"account {account} has no role in the route")
    if want.policy.is_pinned:
        ref = want.ref
        for account in (_program_of(ref.kind, want.ids), ref.address, ref.vault_a, ref.vault_b):
            _must(account in head.rest, f"the route does not name {account}")


def _program_of(kind: PoolKind, ids: ProgramIds) -> str:
    return {"whirlpool": ids.whirlpool, "cpmm": ids.cpmm, "ammv4": ids.ammv4}[kind]


def _readonly_cast(want: RouteWant) -> frozenset[str]:
    ids, ref = want.ids, want.ref
    cast = {
        want.wallet, ids.jupiter, ids.token, ids.memo, ref.mint_a, ref.mint_b,
        jupiter_event_authority(ids),
    }  # fmt: skip
    cast |= {_program_of(kind, ids) for kind in want.policy.dexes}
    if ref.kind == "cpmm":
        cast |= {ref.amm_config, cpmm_authority(ids)}
    elif ref.kind == "ammv4":
        cast.add(ammv4_authority(ids))
    return frozenset(cast)


def _pool_writables(want: RouteWant) -> frozenset[str]:
    ids, ref = want.ids, want.ref
    found = {ref.address, ref.vault_a, ref.vault_b}
    if ref.kind == "whirlpool":
        starts = want.swap.tick_array_starts
        _must(len(starts) <= MAX_TICK_ARRAYS, f"{len(starts)} tick arrays")
        found.add(oracle_address(ref.address, ids))
        found |= {tick_array_address(ref.address, start, ids) for start in starts}
    elif ref.kind == "cpmm":
        found.add(observation_address(ref.address, ids))
    return frozenset(found)
