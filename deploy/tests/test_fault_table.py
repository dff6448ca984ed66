"""The table of faults (deploy/faults.md) tells the truth about the tests it names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from arbsite.home import REPOSITORY

TABLE = REPOSITORY / "deploy" / "faults.md"
FAULTS = 75
AUTOMATED_AT_LEAST = 60


def rows() -> list[list[str]]:
    """The cells of every row, by the order of the file."""
    lines = [line for line in TABLE.read_text().splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def functions_in(path: Path) -> frozenset[str]:
    """Names of the test functions of a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_fault_has_its_row() -> None:
    assert [int(row[0]) for row in rows()] == list(range(1, FAULTS + 1))
    assert all(len(row) == 4 and row[1] for row in rows())


def test_every_named_test_exists() -> None:
    missing = []
    for number, _, _, proof in rows():
        for name in re.findall(r"`([^`]+)`", proof) if "::" in proof else ():
            file, _, function = name.partition("::")
            path = REPOSITORY / file
            if not path.is_file() or function not in functions_in(path):
                missing.append(f"{number}: {name}")
    assert missing == []


def test_sixty_faults_are_automated_and_the_others_say_why() -> None:
    automated = [row for row in rows() if "::" in row[3]]
    others = [row for row in rows() if "::" not in row[3]]
    assert len(automated) >= AUTOMATED_AT_LEAST
    assert all(re.fullmatch(r"not automated: .{10,}", row[3]) for row in others)
