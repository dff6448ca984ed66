"""What landing costs now: priority fees of the pools' writable accounts, read from the chain.

`FeeGauge` asks getRecentPrioritizationFees pool by pool (and Helius' estimate where such an
endpoint is configured) and answers in micro-lamports a compute unit. It clamps nothing and
decides nothing: what is bid is `trading.bidding`'s. Called by `SolanaTrading.landing_fees`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.venues.base import LandingFee
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.rpc import SolanaRpc, priority_fee_percentile
from feeds.venues.solana.rpc_channel import RpcEndpoint

# A node remembers 150 slots; the last 20 are eight seconds, about what congestion lasts.
RECENT_SLOTS: Final = 20
# The node tells each slot's MINIMUM that landed: the upper quartile of those is what it took.
SHARE: Final = 0.75
HELIUS: Final = "helius"


class _Estimate(msgspec.Struct, frozen=True, rename="camel"):
    """Reply of getPriorityFeeEstimate, micro-lamports a unit."""

    priority_fee_estimate: float


class FeeGauge:
    """Reads over one RPC client. `refused` counts estimates that could not be had."""

    def __init__(self, rpc: SolanaRpc) -> None:
        self._rpc = rpc
        self.refused = 0

    async def read(self, accounts: Mapping[str, Sequence[str]]) -> dict[str, LandingFee]:
        """Return the fees of each pool, asked by the accounts its swaps lock.

        Raises QueryFailed when no endpoint answers.
        """
        found = {}
        for pool, locked in accounts.items():
            fees = await self._rpc.recent_prioritization_fees(list(locked))
            fees = sorted(fees, key=lambda fee: fee.slot)
            recent = priority_fee_percentile(fees[-RECENT_SLOTS:], SHARE)
            estimate = await self._estimate(list(locked))
            found[pool] = LandingFee(
                price=max(recent, estimate), usual=priority_fee_percentile(fees, SHARE)
            )
        return found

    async def _estimate(self, locked: list[str]) -> int:
        """Helius' own estimate at its `High` level, 0 where it cannot be asked."""
        endpoint = next((one for one in self._rpc.endpoints if one.provider == HELIUS), None)
        if endpoint is None:
            return 0
        asked = {"accountKeys": locked, "options": {"priorityLevel": "High"}}

        def parse(_source: RpcEndpoint, raw: msgspec.Raw) -> Any:
            return rpc_wire.typed(raw, _Estimate, "getPriorityFeeEstimate")

        try:
            answer = await self._rpc.read("getPriorityFeeEstimate", [asked], parse, endpoint)
        except (QueryFailed, FeedCorrupt):
            # A second opinion: without it the chain's own figures stand.
            self.refused += 1
            return 0
        return max(0, int(answer.priority_fee_estimate))
