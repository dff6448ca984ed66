"""The layering law names every module it should; `lint-imports` then checks the imports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
APPS = ("arbsite", "feeds", "risk", "inventory", "trading", "reports")

# The pure set of the architecture, those not written yet included.
PURE_SET = {
    "arbsite.units",
    "arbsite.events",
    "arbsite.keys",
    "arbsite.errors",
    "feeds.market.*",
    "feeds.venues.base",
    "risk.candidate",
    "risk.gates",
    "risk.anomaly",
    "risk.leaving",
    "inventory.drift",
    "inventory.planner",
    "trading.intent",
    "trading.inputs",
    "trading.effects",
    "trading.pricing",
    "trading.sizing",
    "trading.legs",
    "trading.engine",
    "trading.windows",
    "trading.bidding",
    "trading.openings",
    "trading.compute_units",
    "trading.prediction",
    "trading.execution.residual",
    "trading.slippage",
    "trading.worst_case",
    "trading.paper.*",
    "reports.profiles",
}
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base_utils"}


def _contracts() -> dict[str, dict[str, object]]:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    return {c["id"]: c for c in config["tool"]["importlinter"]["contracts"]}


def _sources() -> list[Path]:
    return [
        path
        for app in APPS
        for path in (REPOSITORY / app).rglob("*.py")
        if "migrations" not in path.parts
    ]


def test_every_pure_module_that_exists_is_under_the_law() -> None:
    existing = {
        name
        for name in PURE_SET
        if (REPOSITORY / (name.replace(".", "/").removesuffix("/*"))).is_dir()
        or (REPOSITORY / (name.replace(".", "/") + ".py")).is_file()
    }
    assert set(_contracts()["pure"]["source_modules"]) == existing  # type: ignore[call-overload]


def test_every_venue_is_in_the_independence_contract() -> None:
    venues = {
        f"feeds.venues.{path.name}"
        for path in (REPOSITORY / "feeds" / "venues").iterdir()
        if (path / "__init__.py").exists() and path.name != "tests"
    }
    assert set(_contracts()["venues"]["modules"]) == venues  # type: ignore[call-overload]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [path for path in _sources() if path.stem in VAGUE_NAMES]


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(REPOSITORY))
        for path in _sources()
        if (text := path.read_text().strip()) and not re.match(r'(#!.*\n)?r?"""', text)
    ]
    assert silent == []
