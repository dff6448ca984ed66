"""What proves how a signature ended: each endpoint's word on it, and the landed record.

Asked by `trading` for the executor, which judges; nothing is sent, watched or remembered here.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt, QueryFailed
from feeds.venues.base import DexReceipt, EndpointStatus
from feeds.venues.solana.receipts import receipt_of
from feeds.venues.solana.rpc import SolanaRpc
from feeds.venues.solana.rpc_channel import RpcEndpoint
from feeds.venues.solana.signatures import sighting_of
from feeds.venues.solana.wallet import Wallet

Level = Literal["confirmed", "finalized"]


class Evidence:
    """Questions about signatures of one wallet."""

    def __init__(
        self, rpc: SolanaRpc, wallet: Wallet, *, clock: Clock, tip_accounts: frozenset[str]
    ) -> None:
        self._rpc = rpc
        self._wallet = wallet
        self._clock = clock
        self._tip_accounts = tip_accounts

    async def statuses(self, signature: str, *, commitment: Level) -> list[EndpointStatus]:
        """Ask every endpoint, with history search; unreachable endpoints are left out."""
        answers = await asyncio.gather(
            *(self._status_at(endpoint, signature, commitment) for endpoint in self._rpc.endpoints)
        )
        return [answer for answer in answers if answer is not None]

    async def _status_at(
        self, endpoint: RpcEndpoint, signature: str, commitment: Level
    ) -> EndpointStatus | None:
        """One endpoint's word, the height read after it; None when it proves nothing.

        Behind one URL may stand several nodes. The height counts as evidence only if the
        node that looked the signature up had reached the slot that height belongs to.
        """
        try:
            read = await self._rpc.signature_statuses(
                [signature], search_history=True, endpoint=endpoint
            )
            height = await self._rpc.block_height(commitment, endpoint=endpoint)
            slot = await self._rpc.slot(commitment, endpoint=endpoint)
        except QueryFailed:
            return None
        status = read.statuses[0]
        if status is None and read.slot < slot:
            return None
        recv_ns = self._clock.now_ns()
        sighting = sighting_of(signature, status, recv_ns) if status is not None else None
        return EndpointStatus(endpoint.label, endpoint.provider, height, sighting)

    async def receipt(self, signature: str, *, commitment: Level) -> DexReceipt | None:
        """Return the landed transaction's record from the first endpoint that has it.

        None when every endpoint that answered has none (yet); QueryFailed when none did.
        """
        reasons: list[str] = []
        has_answer = False
        for endpoint in self._rpc.endpoints:
            try:
                record = await self._rpc.transaction(
                    signature, commitment=commitment, endpoint=endpoint
                )
                if record is not None:
                    return receipt_of(
                        signature, record,
                        commitment=commitment, wallet=self._wallet.owner,
                        own_accounts=frozenset(self._wallet.addresses),
                        tip_accounts=self._tip_accounts,
                    )  # fmt: skip
            except (QueryFailed, FeedCorrupt) as error:
                reasons.append(f"{endpoint.label}: {error}")
            else:
                has_answer = True
        if not has_answer:
            raise QueryFailed("; ".join(reasons))
        return None
