"""The console has plain words for everything the back end can name: no more and no fewer.

Gates and Jupiter's outcomes are enumerated by the code itself. Rules, causes and caps are
written where they arise, so they are read from the source of those places.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from arbsite.home import REPOSITORY
from feeds.venues.jupiter import quotes
from risk.gates import GATES
from trading import windows
from trading.engine import integrity, routed, staleness
from trading.execution import residual

WORDS = json.loads((REPOSITORY / "frontend/src/lib/words.json").read_text())
# Where in its call each function takes the rule.
RULE_AT = {
    "RequestStop": 1,
    "raise_stop": 1,
    "trip": 1,
    "raise_alarm": 1,
    "open_incident": 1,
    "_raise_stop": 1,
    "hold_back": 0,
    "StopReason": 2,
    "ModeApplied": 99,
}
NAME = re.compile(r"[a-z]+(_[a-z]+)*")


def _sources(*apps: str) -> Iterator[tuple[Path, ast.Module]]:
    for app in apps:
        for path in sorted((REPOSITORY / app).rglob("*.py")):
            inside = path.relative_to(REPOSITORY)
            if "tests" not in inside.parts and "migrations" not in inside.parts:
                yield inside, ast.parse(path.read_text())


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _texts(node: ast.AST) -> set[str]:
    """Every literal below a node that looks like a name of ours."""
    return {
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant)
        and isinstance(one.value, str)
        and NAME.fullmatch(one.value)
    }


def _value_of(path: Path, node: ast.expr) -> str | None:
    """A literal, or what a module's constant holds; None for a variable."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id.isupper():
        return str(getattr(importlib.import_module(".".join(path.with_suffix("").parts)), node.id))
    return None


def _rules() -> set[str]:
    found = {*integrity._RULES, *staleness.RULES.values()}
    for path, module in _sources("trading", "risk", "feeds"):
        for call in ast.walk(module):
            if not isinstance(call, ast.Call) or (at := RULE_AT.get(_called(call))) is None:
                continue
            named = [keyword.value for keyword in call.keywords if keyword.arg == "rule"]
            for node in named or call.args[at : at + 1]:
                value = _value_of(path, node)
                found |= {value} if value is not None else set()
    return found


def _close_causes() -> set[str]:
    found = {*windows.CLOSE_CAUSES.values(), "own_trade", "unknown"}
    for _, module in _sources("trading"):
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and _called(call) == "close" and len(call.args) == 2:
                found |= _texts(call.args[1])
    return found


def _caps() -> set[str]:
    """What the sizes assign to a cause, the desk's limits, and the two fixed words."""
    found = {routed.LIMITED_BY, "cex_depth", "fixed"}
    for name in ("sizing", "engine/scene"):
        for node in ast.walk(ast.parse((REPOSITORY / f"trading/{name}.py").read_text())):
            if isinstance(node, ast.Assign) and "cause" in ast.unparse(node.targets[0]):
                found |= _texts(node.value)
            if isinstance(node, ast.BoolOp) and "cause" in ast.unparse(node.values[0]):
                found |= _texts(node)
    for name in ("candidate", "gates"):
        module = ast.parse((REPOSITORY / f"risk/{name}.py").read_text())
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef) and node.name == "tightest":
                found |= _texts(ast.Module(node.body[1:], []))
    return found


SAID = {
    "gates": {name for name, _ in GATES},
    "rules": _rules(),
    "close_causes": _close_causes(),
    "caps": _caps(),
    "residual_acts": set(get_args(residual.Act)),
    "route_outcomes": {"ok", *get_args(quotes.Cause)},
}


@pytest.mark.parametrize("kind", sorted(SAID))
def test_every_word_of_the_back_end_has_plain_words(kind: str) -> None:
    assert set(WORDS[kind]) == SAID[kind]


def test_plain_words_are_words() -> None:
    for kind, words in WORDS.items():
        for name, plain in words.items():
            assert "_" not in plain, (kind, name)
            assert plain[:1].isupper(), (kind, name)
            assert len(plain) <= 32, (kind, name)
