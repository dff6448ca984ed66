"""The blockhash ring: an aged hash with about forty blocks left, never a stale one."""

from __future__ import annotations

import pytest

from arbsite.clock import ManualClock
from arbsite.errors import NotSent
from feeds.venues.solana.blockhashes import BlockhashRing

BLOCK_NS = 400_000_000


def aged_ring(clock: ManualClock, blocks: int, fuse_blocks: int = 40) -> BlockhashRing:
    """A ring fed every second block for so many blocks; the chain starts at height 1000."""
    ring = BlockhashRing(clock, fuse_blocks=fuse_blocks)
    for height in range(1000, 1001 + blocks, 2):
        ring.add(f"hash {height}", height + 150)
        if height < 1000 + blocks:
            clock.advance_ns(2 * BLOCK_NS)
    return ring


def test_after_a_minute_about_forty_blocks_are_left() -> None:
    clock = ManualClock()
    ring = aged_ring(clock, 200)
    left = ring.choose().last_valid_height - ring.height
    assert 40 <= left <= 42
    clock.advance_ns(3 * BLOCK_NS)
    assert 40 <= ring.choose().last_valid_height - ring.height <= 42


@pytest.mark.parametrize("fuse_blocks", [1, 20, 100, 149])
def test_the_fuse_is_what_was_asked(fuse_blocks: int) -> None:
    ring = aged_ring(ManualClock(), 200, fuse_blocks)
    assert 0 <= ring.choose().last_valid_height - ring.height - fuse_blocks <= 2


def test_right_after_start_the_oldest_known_hash_serves() -> None:
    clock = ManualClock()
    ring = aged_ring(clock, 10)
    assert ring.choose().text == "hash 1000"


def test_stale_or_empty_rings_refuse() -> None:
    clock = ManualClock()
    ring = BlockhashRing(clock)
    with pytest.raises(NotSent, match="no fresh"):
        ring.choose()
    ring.add("hash", 1150)
    clock.advance_ns(5_000_000_001)
    assert not ring.is_fresh
    with pytest.raises(NotSent, match="no fresh"):
        ring.choose()


def test_a_lagging_node_does_not_make_the_chain_younger() -> None:
    clock = ManualClock()
    ring = aged_ring(clock, 100)
    height = ring.height
    ring.add("old news", 1050)
    assert ring.height == height
    assert all(h.text != "old news" for h in [ring.choose()])


def test_an_impossible_fuse_is_refused() -> None:
    for fuse_blocks in (0, 151):
        with pytest.raises(ValueError, match="fuse"):
            BlockhashRing(ManualClock(), fuse_blocks=fuse_blocks)
