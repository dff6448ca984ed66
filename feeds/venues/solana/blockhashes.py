"""A ring of recent blockhashes, so that a transaction can be given a short life.

A transaction is valid while its blockhash is (150 blocks, over a minute). Signed against
an aged hash it expires when we want it to: the naked wait after the other leg has filled
is bounded. Each hash keeps its OWN last valid height, from the reply that brought it.
No I/O; `trading` fills it.
"""

from __future__ import annotations

import msgspec

from arbsite.clock import Clock
from arbsite.errors import NotSent

MAX_AGE_BLOCKS = 150
_BLOCK_NS = 400_000_000
_FRESH_NS = 5_000_000_000


class Blockhash(msgspec.Struct, frozen=True):
    """A blockhash and the last block height at which a transaction naming it may land."""

    text: str
    last_valid_height: int


class BlockhashRing:
    """Recent blockhashes, oldest first; `fuse_blocks` is the life wanted for a message."""

    def __init__(self, clock: Clock, *, fuse_blocks: int = 40) -> None:
        if not 1 <= fuse_blocks <= MAX_AGE_BLOCKS:
            raise ValueError(f"fuse_blocks must be 1..{MAX_AGE_BLOCKS}")
        self._clock = clock
        self._fuse_blocks = fuse_blocks
        self._hashes: list[Blockhash] = []
        self._refreshed_ns: int | None = None

    def add(self, text: str, last_valid_height: int) -> None:
        """Take the node's latest blockhash; an older one than the newest held is ignored.

        A node that lags must not make the chain look younger, so such a reply does not
        count as a refresh either.
        """
        newest = self._hashes[-1] if self._hashes else None
        if newest is not None and last_valid_height < newest.last_valid_height:
            return
        if newest is None or text != newest.text:
            self._hashes.append(Blockhash(text, last_valid_height))
        self._refreshed_ns = self._clock.monotonic_ns()
        floor = self.height + self._fuse_blocks
        # One hash below the fuse is kept out at once: it could only be chosen by mistake.
        self._hashes = [h for h in self._hashes if h.last_valid_height >= floor][-MAX_AGE_BLOCKS:]

    @property
    def is_fresh(self) -> bool:
        """Whether the newest hash was confirmed recently enough to judge ages by it."""
        if self._refreshed_ns is None or not self._hashes:
            return False
        return self._clock.monotonic_ns() - self._refreshed_ns <= _FRESH_NS

    @property
    def height(self) -> int:
        """Estimated block height now: the newest hash's height plus the time since it came.

        Never below the truth by more than one block, so a life is not overestimated.
        """
        if self._refreshed_ns is None or not self._hashes:
            return 0
        since_ns = self._clock.monotonic_ns() - self._refreshed_ns
        return self._hashes[-1].last_valid_height - MAX_AGE_BLOCKS + -(-since_ns // _BLOCK_NS)

    @property
    def last_valid_height(self) -> int:
        """The newest hash's last valid height, 0 while that is not fresh."""
        return self._hashes[-1].last_valid_height if self.is_fresh else 0

    def choose(self) -> Blockhash:
        """Return the oldest hash with at least the wanted blocks of life; NotSent if stale.

        In the first minute after start all hashes are young and the life is longer.
        """
        if not self.is_fresh:
            raise NotSent("no fresh blockhash")
        floor = self.height + self._fuse_blocks
        for blockhash in self._hashes:
            if blockhash.last_valid_height >= floor:
                return blockhash
        raise NotSent("no blockhash with enough life left")
