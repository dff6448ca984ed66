"""The engine's processor: which one is chosen, and who leaves it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from arbsite.errors import SetupError
from arbsite.processors import AUTO, OFF, engine_processor, leave_to_engine

USABLE = sorted(os.sched_getaffinity(0))
needs_two = pytest.mark.skipif(len(USABLE) < 2, reason="a machine of one processor")


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], object]], object]]:
    """Runs something in a thread of its own, for affinity is a thread's."""

    def run(work: Callable[[], object]) -> object:
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
        thread.join(10)
        return found[0]

    yield run
    assert sorted(os.sched_getaffinity(0)) == USABLE


@needs_two
def test_the_last_processor_is_the_engines_and_a_number_chooses_another() -> None:
    assert engine_processor(AUTO) == USABLE[-1]
    assert engine_processor(str(USABLE[0])) == USABLE[0]
    assert engine_processor(OFF) is None


def test_a_machine_of_one_processor_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert engine_processor(AUTO) is None
    with pytest.raises(SetupError, match="at least two"):
        engine_processor("3")


@pytest.mark.parametrize("choice", ["", "-1", "9999", "one", "1,2", "\u0661"])
def test_what_is_no_processor_of_ours_is_refused(choice: str) -> None:
    with pytest.raises(SetupError, match="SPREADLINE_ENGINE_CPU"):
        engine_processor(choice)


@needs_two
def test_who_leaves_it_keeps_the_others(
    in_thread: Callable[[Callable[[], object]], object],
) -> None:
    processor = USABLE[-1]

    def leave() -> set[int]:
        leave_to_engine(processor)
        return os.sched_getaffinity(0)

    assert in_thread(leave) == set(USABLE[:-1])


def test_without_the_program_that_places_processes_nothing_is_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    assert engine_processor(AUTO) is None
