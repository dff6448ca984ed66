"""Replays a journal through the same Engine object and compares every decision, byte by byte.

Reads what `keeper` wrote; decides nothing and prints nothing. Called by `manage.py replay`
and tests; `inputs_of` also feeds back-tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from arbsite.errors import UNREADABLE, FeedCorrupt, SetupError
from feeds.recording.format import GAP, Record
from feeds.recording.reader import Recording, Segment, open_runs
from trading.effects import SignalSeen
from trading.engine.core import Engine
from trading.inputs import EngineInput
from trading.journal.format import (
    DECISION,
    DIGEST_BYTES,
    INPUTS,
    JOURNAL_VERSION,
    DecisionChain,
    EngineSetup,
    InputReader,
    canonical,
)


class Difference(msgspec.Struct, frozen=True):
    """A decision of one side that the other did not make (None), or made otherwise."""

    decision: int
    input_number: int
    input_tag: str
    at_ns: int
    live: bytes | None
    replayed: bytes | None

    def fields(self) -> list[tuple[str, Any, Any]]:
        """(path, live value, replayed value) of every field that differs."""
        live, replayed = _flat(self.live), _flat(self.replayed)
        names = list(dict.fromkeys([*live, *replayed]))
        return [
            (name, live.get(name), replayed.get(name))
            for name in names
            if live.get(name) != replayed.get(name)
        ]


class ReplayReport(msgspec.Struct):
    """What a replay found; `lost` is how many records the live writer had to drop."""

    inputs: int = 0
    live_decisions: int = 0
    replayed_decisions: int = 0
    live_hash: str = ""
    replayed_hash: str = ""
    first_ns: int = 0
    last_ns: int = 0
    lost: int = 0
    is_whole: bool = True
    differences: list[Difference] = []
    difference_count: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether every decision that was replayed is the live one."""
        return self.difference_count == 0

    @property
    def span_s(self) -> float:
        """Time the inputs cover, by their own stamps."""
        return (self.last_ns - self.first_ns) / 1e9


def open_journal(path: Path) -> Recording:
    """Open a run's journal by one of its files, or a folder's newest run, from its start.

    Raises SetupError when the first files were already deleted: the engine's state at the
    later ones is not known.
    """
    if path.is_dir():
        found = open_runs(path, "journal")[-1]
    else:
        wanted = open_runs(path, "journal")[0].header.run
        found = next(
            each for each in open_runs(path.parent, "journal") if each.header.run == wanted
        )
    if found.first_sequence != 1:
        raise SetupError(
            f"The first {found.first_sequence - 1} files of journal {found.header.run} were "
            "deleted to bound the disk; raise SPREADLINE_JOURNAL_MAX_GB to keep longer runs."
        )
    found.verify()
    return found


def setup_of(journal: Recording | Segment) -> EngineSetup:
    """What the journal's engine was constructed from; FeedCorrupt when we cannot read it."""
    try:
        setup = msgspec.json.decode(journal.header.content, type=EngineSetup)
    except UNREADABLE as error:
        raise FeedCorrupt(f"the journal's engine cannot be read: {error}") from error
    if setup.version > JOURNAL_VERSION:
        raise FeedCorrupt(
            f"journal version {setup.version}; this version reads up to {JOURNAL_VERSION}"
        )
    return setup


def inputs_of(journal: Recording) -> Iterator[EngineInput]:
    """Every input in order, up to the first gap."""
    reader = InputReader()
    for record in journal.records():
        if record.kind == GAP:
            return
        if record.kind in INPUTS:
            yield reader.read(record)


class Replayer:
    """One replay: feeds inputs, collects decisions, compares them input by input."""

    def __init__(self, engine: Engine, *, kept_differences: int = 1) -> None:
        self.report = ReplayReport()
        self._engine = engine
        self._reader = InputReader()
        self._kept = kept_differences
        self._live_chain = DecisionChain()
        self._replayed_chain = DecisionChain()
        self._live: list[bytes] = []
        self._replayed: list[bytes] = []
        self._input: EngineInput | None = None
        self._at_ns = 0

    def take(self, record: Record) -> None:
        """Take the next record; FeedCorrupt when the journal contradicts itself."""
        if record.kind in INPUTS:
            self._compare()
            self._feed(record)
        elif record.kind == DECISION:
            digest, text = record.payload[:DIGEST_BYTES], record.payload[DIGEST_BYTES:]
            if self._live_chain.add(text) != digest:
                raise FeedCorrupt(f"decision {self._live_chain.count} breaks the journal's hash")
            self._live.append(text)

    def finish(self, *, is_torn: bool) -> ReplayReport:
        """Compare what is left; a torn journal may lack the last input's decisions."""
        if is_torn:
            self._replayed = self._replayed[: len(self._live)]
        self._compare()
        report = self.report
        report.is_whole = not is_torn
        report.live_hash, report.replayed_hash = self._live_chain.hex, self._replayed_chain.hex
        report.live_decisions = self._live_chain.count
        report.replayed_decisions = self._replayed_chain.count
        return report

    def _feed(self, record: Record) -> None:
        report = self.report
        self._input = event = self._reader.read(record)
        self._at_ns = record.at_ns
        report.inputs += 1
        report.first_ns = report.first_ns or record.at_ns
        report.last_ns = max(report.last_ns, record.at_ns)
        self._replayed = [
            canonical(effect)
            for effect in self._engine.handle(event)
            if type(effect) is not SignalSeen
        ]

    def _compare(self) -> None:
        live, replayed = self._live, self._replayed
        self._live, self._replayed = [], []
        before = self._replayed_chain.count
        for text in replayed:
            self._replayed_chain.add(text)
        if live == replayed:
            return
        for at in range(max(len(live), len(replayed))):
            ours = live[at] if at < len(live) else None
            theirs = replayed[at] if at < len(replayed) else None
            if ours != theirs:
                self._note(before + at + 1, ours, theirs)

    def _note(self, decision: int, live: bytes | None, replayed: bytes | None) -> None:
        report = self.report
        report.difference_count += 1
        if len(report.differences) < self._kept:
            tag = type(self._input).__name__
            report.differences.append(
                Difference(decision, report.inputs, tag, self._at_ns, live, replayed)
            )


def replay(
    journal: Recording,
    *,
    until_ns: int | None = None,
    kept_differences: int = 1,
    progress: Callable[[int], None] | None = None,
) -> ReplayReport:
    """Feed a fresh engine of the journal's setup and compare, as far as `until_ns` or a gap."""
    replayer = Replayer(setup_of(journal).build(), kept_differences=kept_differences)
    is_torn = not all(segment.is_whole for segment in journal.segments)
    is_torn = is_torn or any(
        s.footer is not None and s.footer.was_recovered for s in journal.segments
    )
    for number, record in enumerate(journal.records()):
        if record.kind == GAP:
            replayer.report.lost = int(record.payload)
            break
        if record.kind in INPUTS and until_ns is not None and record.at_ns > until_ns:
            break
        replayer.take(record)
        if progress is not None:
            progress(number)
    return replayer.finish(is_torn=is_torn or replayer.report.lost > 0)


def _flat(decision: bytes | None) -> dict[str, Any]:
    """Paths and values of a decision's fields."""
    if decision is None:
        return {}
    found: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                walk(f"{path}.{name}" if path else name, inner)
        else:
            found[path] = value

    walk("", msgspec.json.decode(decision))
    return found
