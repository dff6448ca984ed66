"""Rows of promises as a table for a terminal and as Markdown. Pure.

Called by `manage.py service_levels` and `manage.py figures`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports.promises import NOTHING, Level

HEADS = ("promise", "target", "seen", "n", "95 % interval", "verdict")


def cells(levels: Sequence[Level]) -> list[tuple[str, ...]]:
    """The head and one row of texts per promise."""
    rows = [(r.name, r.target, r.seen, str(r.n), r.interval, _word(r)) for r in levels]
    return [HEADS, *rows]


def _word(level: Level) -> str:
    """The verdict; a figure without a target has none."""
    return NOTHING if level.target == NOTHING else level.verdict


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines whose columns stand below each other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def markdown(levels: Sequence[Level], *, title: str, notes: Sequence[str]) -> str:
    """A document with the notes and the table."""
    head, *rows = cells(levels)
    lines = [f"# {title}", "", *(f"- {note}" for note in notes), ""]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def summary(levels: Sequence[Level]) -> str:
    """How many hold, fail and are not judged, in one sentence."""
    count = {
        word: sum(_word(level) == word for level in levels)
        for word in ("holds", "fails", "no data")
    }
    return f"{count['holds']} hold, {count['fails']} fail, {count['no data']} not judged."
