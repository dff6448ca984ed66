"""The request that keeps processors awake: what it writes, when it lets go, when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from arbsite import metrics
from trading.process.awake import MaySleep, processors_awake, stay_awake


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "cpu_dma_latency"
    path.touch()
    return path


def _open_files_of(path: Path) -> int:
    own = Path("/proc/self/fd")
    return sum(os.path.realpath(each) == str(path) for each in own.iterdir())


def test_a_latency_of_zero_is_asked_for_and_held_until_the_end(device: Path) -> None:
    with processors_awake(device):
        assert device.read_bytes() == bytes(4)
        assert _open_files_of(device) == 1
    assert _open_files_of(device) == 0


def test_a_device_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "cpu_dma_latency"
    with pytest.raises(MaySleep, match="no "), processors_awake(missing):
        pytest.fail("nothing is held")
    assert not missing.exists()


def test_a_device_that_cannot_be_opened_is_told_with_the_remedy(tmp_path: Path) -> None:
    # A folder, which refuses root too.
    with pytest.raises(MaySleep, match="let this user write"), processors_awake(tmp_path):
        pytest.fail("nothing is held")


async def test_an_awake_process_rehearses_until_it_ends(device: Path) -> None:
    rehearsed = asyncio.Semaphore(0)
    awake = asyncio.create_task(stay_awake(rehearsed.release, device))
    async with asyncio.timeout(5):
        for _ in range(3):
            await rehearsed.acquire()
    assert _open_files_of(device) == 1
    assert metrics.PROCESSORS_AWAKE._value.get() == 1
    awake.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await awake
    assert _open_files_of(device) == 0
    assert metrics.PROCESSORS_AWAKE._value.get() == 0


async def test_a_host_that_may_sleep_is_not_woken_to_rehearse(tmp_path: Path) -> None:
    rehearsed = asyncio.Event()
    # It ends by itself, which ends no process: only a failed task does.
    async with asyncio.timeout(5):
        await stay_awake(rehearsed.set, tmp_path / "none")
    assert not rehearsed.is_set()
