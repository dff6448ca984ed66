"""What a swap uses of the chain's compute units, as a node's simulation says.

The message is built as it would be signed, and carries no signature: what a node is given
to measure, it cannot send. Called by the engine's sampler (`trading.process.compute_sampling`).
Not here: what limit follows from it (`trading.compute_units`).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from solders.hash import Hash
from solders.message import to_bytes_versioned

from arbsite.errors import NotSent, QueryFailed, Rejected
from feeds.venues.base import DexSwap
from feeds.venues.solana.programs import MAINNET, PoolRef, ProgramIds
from feeds.venues.solana.rpc import SolanaRpc
from feeds.venues.solana.rpc_wire import error_text
from feeds.venues.solana.transactions import swap_message

# A signature's place, empty: the simulation is asked not to verify it.
_UNSIGNED = b"\x01" + bytes(64)
_TIP_LAMPORTS = 1


class ComputeGauge:
    """Measures swaps of one wallet. With a `tip_account` the tip's own units are counted too."""

    def __init__(
        self,
        rpc: SolanaRpc,
        pool_ref: Callable[[str], PoolRef | None],
        *,
        wallet: str,
        tip_account: str = "",
        ids: ProgramIds = MAINNET,
    ) -> None:
        self._rpc = rpc
        self._pool_ref = pool_ref
        self._wallet = wallet
        self._tip_account = tip_account
        self._ids = ids

    async def units(self, swap: DexSwap) -> int:
        """Units that `swap` uses on the newest state.

        NotSent when it cannot be built, Rejected when it would fail, QueryFailed when no
        node answers.
        """
        ref = self._pool_ref(swap.pool)
        if ref is None:
            raise NotSent(f"no accounts are known of pool {swap.pool}")
        tip = _TIP_LAMPORTS if self._tip_account else 0
        message = swap_message(
            msgspec.structs.replace(swap, tip_lamports=tip), ref,
            wallet=self._wallet, blockhash=str(Hash.default()),
            tip_account=self._tip_account, ids=self._ids,
        )  # fmt: skip
        answer = await self._rpc.simulate_transaction(_UNSIGNED + to_bytes_versioned(message))
        if answer.err is not None:
            raise Rejected(error_text(answer.err) or "")
        if not answer.units_consumed:
            raise QueryFailed("the node does not say how many units were used")
        return answer.units_consumed
