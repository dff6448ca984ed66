"""What a recorder hears of the Solana feed's raw traffic; the feed works without one.

Called by `pubsub` and `rpc_channel` with the bytes as received, before they are judged.
Implementations must return at once and never raise.
"""

from __future__ import annotations

from typing import Protocol


class SolanaTap(Protocol):
    """A listener of raw frames and replies; `endpoint` is the node's label."""

    def opened(self, endpoint: str, recv_ns: int) -> None:
        """A new socket: subscription numbers start over."""

    def frame(self, endpoint: str, text: bytes, recv_ns: int) -> None:
        """A frame of the node's socket."""

    def subscribed(self, endpoint: str, subscription: int, target: str, recv_ns: int) -> None:
        """What a subscription number stands for: an account's address, "" for slots."""

    def reply(self, endpoint: str, request: bytes, body: bytes, recv_ns: int) -> None:
        """A request of ours and the body of its answer."""
