"""The signatures we wait for, and the best that was said of each.

`processed` comes from a subscription or from polling, better levels from polling only;
each level is reported once. No I/O; called by `trading`.
"""

from __future__ import annotations

from feeds.venues.base import TxSighting
from feeds.venues.solana import rpc_wire
from feeds.venues.solana.pubsub import SignatureNotice
from feeds.venues.solana.rpc_wire import Commitment, StatusValue

_LEVELS: dict[Commitment, int] = {"processed": 1, "confirmed": 2, "finalized": 3}
_FORGET_NS = 600_000_000_000


class SignatureWatch:
    """Signatures under watch, oldest first, at most `capacity` of them."""

    def __init__(self, capacity: int = 256) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._since_ns: dict[str, int] = {}
        self._level: dict[str, int] = {}

    @property
    def pending(self) -> list[str]:
        """The signatures not yet seen finalized."""
        return list(self._since_ns)

    def add(self, signature: str, now_ns: int) -> bool:
        """Watch a signature; returns whether it was not watched before."""
        if signature in self._since_ns:
            return False
        if len(self._since_ns) >= self._capacity:
            # Durable recovery asks by `statuses`; this watch is for speed only.
            self._forget(next(iter(self._since_ns)))
            self.dropped += 1
        self._since_ns[signature] = now_ns
        return True

    def notice(self, notice: SignatureNotice) -> TxSighting | None:
        """Take a subscription's word; returns the sighting when it is news."""
        return self._rise(
            TxSighting(
                notice.signature, notice.slot, "processed",
                notice.error, notice.error_code, notice.recv_ns,
            )
        )  # fmt: skip

    def status(self, signature: str, status: StatusValue, recv_ns: int) -> TxSighting | None:
        """Take a polled status; returns the sighting when it is news."""
        return self._rise(sighting_of(signature, status, recv_ns))

    def expire(self, now_ns: int) -> list[str]:
        """Forget signatures watched for ten minutes (no blockhash lives that long)."""
        old = [s for s, since_ns in self._since_ns.items() if now_ns - since_ns > _FORGET_NS]
        for signature in old:
            self._forget(signature)
        return old

    def _rise(self, sighting: TxSighting) -> TxSighting | None:
        level = _LEVELS[sighting.commitment]
        if sighting.signature not in self._since_ns:
            return None
        if level <= self._level.get(sighting.signature, 0):
            return None
        self._level[sighting.signature] = level
        if sighting.commitment == "finalized":
            self._forget(sighting.signature)
        return sighting

    def _forget(self, signature: str) -> None:
        self._since_ns.pop(signature, None)
        self._level.pop(signature, None)


def sighting_of(signature: str, status: StatusValue, recv_ns: int) -> TxSighting:
    """Turn a node's status into a sighting.

    Without a named level, no count of confirmations means rooted, and any count the least.
    """
    fallback: Commitment = "finalized" if status.confirmations is None else "processed"
    return TxSighting(
        signature=signature,
        slot=status.slot,
        commitment=status.confirmation_status or fallback,
        error=rpc_wire.error_text(status.err),
        error_code=rpc_wire.custom_code(status.err),
        recv_ns=recv_ns,
    )
