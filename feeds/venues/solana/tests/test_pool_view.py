"""What adds up to a pool state at one slot, and what does not, notification by notification."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from arbsite.errors import FeedCorrupt
from feeds.market.pools import AdaptiveFee, AmmV4Pool, CpmmPool, TickArray, Whirlpool
from feeds.market.ticks import Tick, sqrt_price_from_tick
from feeds.venues.solana.layouts import RawAccount
from feeds.venues.solana.pool_accounts import WhirlpoolAccounts, accounts_of
from feeds.venues.solana.pool_view import PoolView, parts_of
from feeds.venues.solana.programs import tick_array_address
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, key

L = builders.whirlpool().liquidity


def read_into(view: PoolView, found: dict[str, RawAccount], slot: int) -> Any:
    parts = parts_of(view.accounts, {a: found.get(a) for a in every_address(view)})
    return view.take_read(view.accounts, parts, view.accounts.assemble(parts, slot=slot))


def every_address(view: PoolView) -> tuple[str, ...]:
    return (*view.accounts.watched, *view.accounts.checked)


def whirlpool_view(pool: Whirlpool | None = None) -> tuple[PoolView, dict[str, RawAccount]]:
    pool = pool or builders.whirlpool()
    found = builders.whirlpool_accounts(pool, builders.arrays_around(pool))
    view = PoolView(accounts_of("whirlpool", pool.address, found[pool.address], IDS))
    read_into(view, found, slot=100)
    return view, found


def cpmm_view() -> tuple[PoolView, dict[str, RawAccount]]:
    found = builders.cpmm_accounts()
    view = PoolView(accounts_of("cpmm", key("cpmm"), found[key("cpmm")], IDS))
    read_into(view, found, slot=100)
    return view, found


def tell(view: PoolView, account: RawAccount, slot: int) -> Any:
    return view.take_notice(account.address, account, slot)


def pool_at(tick: int, liquidity: int = L) -> RawAccount:
    pool = builders.whirlpool(tick_current_index=tick, liquidity=liquidity)
    return builders.whirlpool_accounts(pool, [])[pool.address]


def array_with(start: int, *ticks: Tick) -> RawAccount:
    pool = builders.whirlpool()
    found = builders.whirlpool_accounts(pool, [TickArray(start, ticks)])
    return found[tick_array_address(pool.address, start, IDS)]


def test_a_swap_needs_only_the_pool_account() -> None:
    view, _ = whirlpool_view()
    state = tell(view, pool_at(-26100), 101)
    assert (state.slot, state.tick_current_index) == (101, -26100)
    assert len(state.tick_arrays) == 7


def test_an_old_slot_is_dropped() -> None:
    view, _ = whirlpool_view()
    tell(view, pool_at(-26100), 103)
    assert tell(view, pool_at(-26147), 102) is None
    assert view.state is not None
    assert view.state.slot == 103


def test_a_crossing_swap_is_consistent_with_the_loaded_ticks() -> None:
    pool = builders.whirlpool()
    arrays = builders.arrays_around(pool)
    middle = arrays[3]
    tick = Tick(-26140, -1000, 1000)
    arrays[3] = TickArray(middle.start_index, (tick,))
    found = builders.whirlpool_accounts(pool, arrays)
    view = PoolView(accounts_of("whirlpool", pool.address, found[pool.address], IDS))
    read_into(view, found, slot=100)
    assert tell(view, pool_at(-26139, L - 1000), 101) is not None
    # Beyond the tick with the liquidity of before it: an LP acted in that slot.
    assert tell(view, pool_at(-26139, L), 102) is None
    assert view.unsettled_slot == 102


def test_lp_changes_wait_for_a_read_and_the_read_is_the_new_base() -> None:
    view, found = whirlpool_view()
    assert tell(view, pool_at(-26147, L + 5), 101) is None
    assert view.unsettled_slot == 101
    found[key("whirlpool")] = pool_at(-26147, L + 5)
    state = read_into(view, found, slot=101)
    assert state.liquidity == L + 5
    assert view.unsettled_slot is None
    assert tell(view, pool_at(-26100, L + 5), 102) is not None


def test_a_changed_tick_array_blocks_swaps_until_read() -> None:
    view, found = whirlpool_view()
    start = -26400
    changed = array_with(start, Tick(start, 7, 7))
    assert tell(view, changed, 101) is None
    assert view.unsettled_slot == 101
    assert tell(view, pool_at(-26100), 102) is None
    found |= {changed.address: changed, key("whirlpool"): pool_at(-26100)}
    state = read_into(view, found, slot=102)
    assert [t.liquidity_net for t in state.tick_arrays[3].ticks] == [7]


def test_fee_growth_in_a_tick_array_changes_nothing() -> None:
    view, found = whirlpool_view()
    address = view.accounts.watched[1]
    data = bytearray(found[address].data)
    assert data[12] == 1
    data[12 + 1 + 32] ^= 0xFF  # fee_growth_outside_a of the first tick
    crossed = RawAccount(address, IDS.whirlpool, 1, bytes(data))
    assert tell(view, crossed, 101) is None
    assert view.unsettled_slot is None
    assert tell(view, pool_at(-26100), 101) is not None


def test_a_later_notification_survives_an_older_read() -> None:
    view, found = whirlpool_view()
    tell(view, pool_at(-26100), 105)
    state = read_into(view, found, slot=104)
    assert (state.slot, state.tick_current_index) == (105, -26100)


def test_what_is_heard_before_the_first_read_is_kept() -> None:
    pool = builders.whirlpool()
    found = builders.whirlpool_accounts(pool, builders.arrays_around(pool))
    view = PoolView(accounts_of("whirlpool", pool.address, found[pool.address], IDS))
    assert tell(view, pool_at(-26100), 101) is None
    state = read_into(view, found, slot=100)
    assert (state.slot, state.tick_current_index) == (101, -26100)


def test_a_change_only_a_read_shows_makes_the_endpoint_silent() -> None:
    view, found = whirlpool_view()
    found[key("whirlpool")] = pool_at(-26100)
    read_into(view, found, slot=110)
    assert not view.is_silent_at(112)
    assert view.is_silent_at(113)
    tell(view, pool_at(-26100), 109)
    assert not view.is_silent_at(113)


def test_a_price_beyond_the_window_waits_and_the_window_follows() -> None:
    view, _ = whirlpool_view()
    assert tell(view, pool_at(-20000), 101) is None
    assert view.unsettled_slot == 101
    state = builders.whirlpool(tick_current_index=-20000)
    moved = view.accounts.moved(state)
    assert isinstance(moved, WhirlpoolAccounts)
    assert moved.starts[3] <= -20000 < moved.starts[4]
    assert view.accounts.moved(builders.whirlpool()) is None


def test_windows_at_the_ends_of_the_range_hold_only_arrays_that_can_exist() -> None:
    splash = builders.whirlpool(tick_spacing=32896, fee_tier_index=32896, tick_current_index=-1)
    assert WhirlpoolAccounts.around(splash, IDS).starts == (-2894848, 0)
    edge = builders.whirlpool(tick_current_index=-443636)
    starts = WhirlpoolAccounts.around(edge, IDS).starts
    assert len(starts) == 4
    assert starts[0] <= -443636 < starts[1]


def test_a_missing_tick_array_counts_as_empty_and_its_creation_is_a_change() -> None:
    pool = builders.whirlpool()
    found = builders.whirlpool_accounts(pool, builders.arrays_around(pool))
    address = tick_array_address(pool.address, -26400, IDS)
    del found[address]
    view = PoolView(accounts_of("whirlpool", pool.address, found[pool.address], IDS))
    state = read_into(view, found, slot=100)
    assert [array.exists for array in state.tick_arrays] == [True] * 3 + [False] + [True] * 3
    assert tell(view, array_with(-26400), 101) is None
    assert view.unsettled_slot == 101


def test_an_adaptive_pool_waits_for_its_oracle() -> None:
    fee = AdaptiveFee(30, 600, 500, 4000, 350000, 64, 64)
    pool = builders.whirlpool(fee_tier_index=1025, oracle=fee)
    view, found = whirlpool_view(pool)
    oracle = found[view.accounts.watched[-1]]
    moved = msgspec.structs.replace(
        pool, tick_current_index=-26100, sqrt_price=sqrt_price_from_tick(-26100)
    )
    swapped = builders.whirlpool_accounts(moved, [])[pool.address]
    assert tell(view, swapped, 101) is None
    state = tell(view, oracle, 101)
    assert (state.slot, state.tick_current_index) == (101, -26100)
    assert state.oracle == fee


def cpmm_swap(found: dict[str, RawAccount], a_raw: int, b_raw: int) -> list[RawAccount]:
    after = builders.cpmm_accounts(vault_a_raw=a_raw, vault_b_raw=b_raw, protocol_fees_a=a_raw % 97)
    found |= after
    return [after[key(name)] for name in ("cpmm", "cpmm vault a", "cpmm vault b")]


def test_cpmm_publishes_when_pool_and_both_vaults_were_told() -> None:
    view, found = cpmm_view()
    pool, vault_a, vault_b = cpmm_swap(found, 10_000_500, 1_999_900)
    assert tell(view, vault_a, 101) is None
    assert tell(view, pool, 101) is None
    assert view.unsettled_slot == 101
    state = tell(view, vault_b, 101)
    assert isinstance(state, CpmmPool)
    assert (state.slot, state.vault_a_raw, state.vault_b_raw) == (101, 10_000_500, 1_999_900)


def test_cpmm_second_swap_in_a_slot_is_not_mixed_with_the_first() -> None:
    view, found = cpmm_view()
    for account in cpmm_swap(found, 10_000_500, 1_999_900):
        tell(view, account, 101)
    first, *rest = cpmm_swap(found, 10_000_900, 1_999_800)
    assert tell(view, first, 101) is None
    states = [tell(view, account, 101) for account in rest]
    assert states[0] is None
    assert (states[1].vault_a_raw, states[1].vault_b_raw) == (10_000_900, 1_999_800)


def test_cpmm_incomplete_burst_is_settled_by_a_read() -> None:
    view, found = cpmm_view()
    pool, vault_a, _ = cpmm_swap(found, 10_000_500, 1_999_900)
    tell(view, pool, 101)
    tell(view, vault_a, 101)
    assert view.unsettled_slot == 101
    state = read_into(view, found, slot=102)
    assert (state.vault_b_raw, state.slot) == (1_999_900, 102)
    assert view.is_silent_at(105)


def test_amm_v4_publishes_when_pool_and_both_vaults_were_told() -> None:
    found = builders.ammv4_accounts()
    view = PoolView(accounts_of("ammv4", key("ammv4"), found[key("ammv4")], IDS))
    read_into(view, found, slot=100)
    after = builders.ammv4_accounts(vault_a_raw=10_000_500, vault_b_raw=1_999_900)
    pool, vault_a, vault_b = after.values()
    assert tell(view, vault_a, 101) is None
    assert tell(view, vault_b, 101) is None
    assert view.unsettled_slot == 101
    state = tell(view, pool, 101)
    assert isinstance(state, AmmV4Pool)
    assert (state.slot, state.vault_a_raw, state.vault_b_raw) == (101, 10_000_500, 1_999_900)


def test_an_amm_v4_vault_of_another_owner_is_corrupt() -> None:
    found = builders.ammv4_accounts()
    accounts = accounts_of("ammv4", key("ammv4"), found[key("ammv4")], IDS)
    stolen = builders.token_account(key("ammv4 vault a"), builders.WSOL, key("thief"), 5)
    with pytest.raises(FeedCorrupt, match="belongs to"):
        accounts.decode(stolen.address, stolen)


@pytest.mark.parametrize("name", ["cpmm", "cpmm vault a", "amm config"])
def test_a_closed_reowned_or_resized_account_is_corrupt(name: str) -> None:
    view, found = cpmm_view()
    account = found[key(name)]
    for bad in (
        None,
        RawAccount(account.address, builders.SYSTEM, 0, b""),
        RawAccount(account.address, account.owner, 1, account.data[:-1]),
    ):
        with pytest.raises(FeedCorrupt):
            view.take_notice(account.address, bad, 101)


def test_a_pool_of_a_token_2022_mint_is_refused() -> None:
    pool = builders.whirlpool()
    found = builders.whirlpool_accounts(pool, builders.arrays_around(pool))
    vault = found[pool.vault_a]
    found[pool.vault_a] = RawAccount(
        vault.address, "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb", 1, vault.data + bytes(13)
    )
    view = PoolView(accounts_of("whirlpool", pool.address, found[pool.address], IDS))
    with pytest.raises(FeedCorrupt, match="owned by"):
        read_into(view, found, slot=100)
    cpmm = builders.cpmm_accounts(token_program_a="TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
    with pytest.raises(FeedCorrupt, match="classic SPL"):
        accounts_of("cpmm", key("cpmm"), cpmm[key("cpmm")], IDS)
