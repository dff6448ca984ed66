"""One pool as one endpoint tells it: which notifications add up to a state at one slot.

A node notifies account by account; a pool is several accounts. The rule of what may be
published at once, without another read:

- Whirlpool, static fee: a swap moves only the pool account in what a quote uses (crossed
  ticks change fee growth, never net liquidity). A new pool account is complete when its
  liquidity minus the net liquidity of all loaded ticks up to its price is what it was at
  the last read: then no position was opened or closed meanwhile. A tick array whose ticks
  changed, or a different remainder, is an LP's doing: unsettled.
- Whirlpool, adaptive fee: as above, and the oracle has been notified as often as the pool
  at the same slot.
- CPMM, AMM v4: pool and both vaults have been notified at the same slot equally often
  (a swap writes all three: the pool keeps totals of what was traded).

Anything else is `unsettled` and the feed reads all accounts at one slot. A read is true
by construction and becomes the new base. It also is the probe: an account that a read
shows changed, and that this endpoint does not notify, is on a dead subscription.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from arbsite.errors import FeedCorrupt
from feeds.market.pools import Pool, Whirlpool
from feeds.venues.solana.accounts import RawAccount
from feeds.venues.solana.pool_accounts import (
    AmmV4Accounts,
    CpmmAccounts,
    Part,
    PoolAccounts,
    WhirlpoolAccounts,
)

PoolState = Pool

_PROBE_SLOTS = 3


class _Held:
    """One account as held: its part, slot, and how often it was notified at that slot."""

    __slots__ = ("count", "part", "slot")

    def __init__(self, part: Part, slot: int, count: int) -> None:
        self.part = part
        self.slot = slot
        self.count = count


class PoolView:
    """The accounts of one pool heard from one endpoint, on the base of the last read."""

    def __init__(self, accounts: PoolAccounts) -> None:
        self.accounts = accounts
        self.expected = accounts
        self.state: PoolState | None = None
        self.unsettled_slot: int | None = None
        self._held: dict[str, _Held] = {}
        self._base_slot = 0
        self._base_liquidity: int | None = None
        self._prefix: tuple[list[int], list[int]] = ([], [])
        self._unheard: dict[str, int] = {}
        self._early: dict[str, _Held] = {}

    @property
    def newest_slot(self) -> int:
        """The newest slot of any held account."""
        return max((held.slot for held in self._held.values()), default=0)

    def is_silent_at(self, slot: int) -> bool:
        """Whether, at this endpoint's slot, a change it should have notified is overdue."""
        return any(slot >= read + _PROBE_SLOTS for read in self._unheard.values())

    def take_read(
        self, accounts: PoolAccounts, parts: Mapping[str, Part], state: PoolState
    ) -> PoolState | None:
        """Make a one-slot read the base; returns the newest settled state, if any.

        Accounts notified at a later slot stay, and are judged again on the new base.
        """
        slot = state.slot
        is_same_set = self.accounts.watched == accounts.watched
        if is_same_set and slot < self._base_slot:
            return None
        later: dict[str, _Held] = {}
        for address in accounts.watched:
            held = self._held.get(address) or self._early.get(address)
            if held is None or held.part == parts[address]:
                continue
            if held.slot > slot or (held.slot == slot and held.count):
                # At one slot the notification is the later word: banks are told when done.
                later[address] = held
            elif is_same_set:
                self._unheard.setdefault(address, slot)
        self.accounts = accounts
        self._early = {}
        self._held = {address: _Held(parts[address], slot, 0) for address in accounts.watched}
        self._base_slot = slot
        self.unsettled_slot = None
        self.state = state
        self._rebase(state)
        for address, held in later.items():
            self._held[address] = held
        for address in later:
            self._judge(address, changed=True)
        return self.state if self.unsettled_slot is None else None

    def take_notice(self, address: str, account: RawAccount | None, slot: int) -> PoolState | None:
        """Take one notification; returns a new settled state, None when there is none.

        FeedCorrupt when the account is not what belongs there. Older slots are dropped.
        """
        self._unheard.pop(address, None)
        held = self._held.get(address)
        if held is None:
            self._keep_early(address, account, slot)
            return None
        if slot < held.slot:
            return None
        part = self.accounts.decode(address, account)
        changed = part != held.part
        count = held.count + 1 if slot == held.slot else 1
        self._held[address] = _Held(part, slot, count)
        before = self.state
        self._judge(address, changed=changed)
        if self.unsettled_slot is not None or self.state is before:
            return None
        return self.state

    def _keep_early(self, address: str, account: RawAccount | None, slot: int) -> None:
        """Hold what is heard before the first read of an account: that read may be older."""
        if address not in self.expected.watched:
            return
        early = self._early.get(address)
        if early is None or slot >= early.slot:
            count = early.count + 1 if early is not None and early.slot == slot else 1
            self._early[address] = _Held(self.expected.decode(address, account), slot, count)

    # ------------------------------------------------------------------ rules

    def _judge(self, address: str, *, changed: bool) -> None:
        """Decide what the held accounts are after one of them changed."""
        slot = self._held[address].slot
        if isinstance(self.accounts, WhirlpoolAccounts):
            is_settled = self._is_whirlpool_settled(self.accounts, address, changed=changed)
        elif isinstance(self.accounts, CpmmAccounts):
            is_settled = self._is_cpmm_settled(self.accounts, address, changed=changed)
        elif isinstance(self.accounts, AmmV4Accounts):
            is_settled = self._is_trio_settled(self.accounts)
        else:
            is_settled = False
        if is_settled is None:
            return
        if not is_settled:
            self.unsettled_slot = max(slot, self.unsettled_slot or 0)
            return
        self.unsettled_slot = None
        parts = {a: held.part for a, held in self._held.items()}
        self.state = self.accounts.assemble(parts, slot=slot)

    def _is_whirlpool_settled(
        self, accounts: WhirlpoolAccounts, address: str, *, changed: bool
    ) -> bool | None:
        """True: publish. False: wait. None: nothing a quote uses has changed."""
        if address in accounts.arrays:
            return False if changed else None
        if self.unsettled_slot is not None and self._has_changed_arrays(accounts):
            return False
        if accounts.is_adaptive:
            pool, oracle = self._held[accounts.address], self._held[accounts.oracle]
            if (pool.slot, pool.count) != (oracle.slot, oracle.count):
                return False
        pool_part = self._held[accounts.address].part
        if not isinstance(pool_part, Whirlpool):
            raise FeedCorrupt(f"pool {accounts.address} is missing")
        return self._rest_liquidity(pool_part) == self._base_liquidity

    def _has_changed_arrays(self, accounts: WhirlpoolAccounts) -> bool:
        state = self.state
        if not isinstance(state, Whirlpool):
            return True
        held = tuple(self._held[address].part for address in accounts.arrays)
        return held != state.tick_arrays

    def _is_cpmm_settled(
        self, accounts: CpmmAccounts, address: str, *, changed: bool
    ) -> bool | None:
        if address == accounts.config:
            return False if changed else None
        return self._is_trio_settled(accounts)

    def _is_trio_settled(self, accounts: CpmmAccounts | AmmV4Accounts) -> bool:
        trio = [self._held[a] for a in (accounts.address, accounts.vault_a, accounts.vault_b)]
        return len({(held.slot, held.count) for held in trio}) == 1 and trio[0].count > 0

    def _rebase(self, state: PoolState) -> None:
        if not isinstance(state, Whirlpool):
            return
        ticks = [tick for array in state.tick_arrays for tick in array.ticks]
        sums = list(accumulate((tick.liquidity_net for tick in ticks), initial=0))
        self._prefix = ([tick.index for tick in ticks], sums)
        self._base_liquidity = self._rest_liquidity(state)

    def _rest_liquidity(self, pool: Whirlpool) -> int | None:
        """Liquidity not explained by the loaded ticks; None with the price off the window."""
        accounts = self.accounts
        if not isinstance(accounts, WhirlpoolAccounts) or not accounts.covers(pool):
            return None
        indexes, sums = self._prefix
        return pool.liquidity - sums[bisect_right(indexes, pool.tick_current_index)]


def differs(a: PoolState, b: PoolState) -> bool:
    """Whether two states of one pool differ in anything but their slot."""
    if type(a) is not type(b):
        return True
    return any(
        getattr(a, name) != getattr(b, name) for name in type(a).__struct_fields__ if name != "slot"
    )


def parts_of(accounts: PoolAccounts, found: Mapping[str, RawAccount | None]) -> dict[str, Part]:
    """Decode a read of every watched and checked account."""
    return {
        address: accounts.decode(address, found[address])
        for address in (*accounts.watched, *accounts.checked)
    }
