"""Promises that no running desk can show: read from what is proven elsewhere, or said to be.

The seeded proof and its wrong policies (run here), the table of faults, the newest stored
ablation, and what only the tests and an acceptance prove. Called by `manage.py figures`.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import msgspec
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from reports.ablation_study import AblationResult, gain_level
from reports.models import BacktestRun
from reports.promises import NOTHING, Level, Verdict, none_of, unseen
from trading.proof.policies import WRONG_POLICIES

FAULTS, AUTOMATED_AT_LEAST = 75, 60
# What `manage.py prove` says of seeds that violate an invariant.
_CAUGHT = "broke the protocol"
_SEEDS_AT_ONCE = 20
_ROW = re.compile(r"^\| \d")


def proven(seeds: int, out: OutputWrapper, err: OutputWrapper) -> Level:
    """Run the protocol itself over seeded lives: not one may break it."""
    name = "seeds that break the protocol"
    try:
        call_command("prove", seeds=seeds, stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
        return none_of(name, 1, seeds, " or more")
    return none_of(name, 0, seeds)


def caught(most_seeds: int, err: OutputWrapper) -> Level:
    """Run each wrong policy until it is found out: the harness must find every one of them."""
    name, total = "wrong policies the proof catches", len(WRONG_POLICIES)
    missed, seeds = [], 0
    for policy in WRONG_POLICIES:
        for first in range(0, most_seeds, _SEEDS_AT_ONCE):
            seeds += _SEEDS_AT_ONCE
            if _breaks(policy.name, first, err):
                break
        else:
            missed.append(policy.name)
    seen = f"{total - len(missed)}" + (f", not {', '.join(missed)}" if missed else "")
    verdict: Verdict = "fails" if missed else "holds"
    return Level(name, f"{total}", seen, seeds, NOTHING, verdict)


def _breaks(policy: str, first: int, err: OutputWrapper) -> bool:
    """Whether one of the next seeds shows what is wrong about a policy."""
    try:
        call_command(
            "prove",
            seeds=_SEEDS_AT_ONCE,
            from_seed=first,
            policy=policy,
            stdout=StringIO(),
            stderr=err,
        )
    except CommandError as error:
        return _CAUGHT in str(error)
    return False


def faults(table: Path) -> Level:
    """Rows of the table of faults that name a test; a test holds the table to the truth."""
    name, target = "faults with a test by number", f"≥ {AUTOMATED_AT_LEAST} of {FAULTS}"
    if not table.is_file():
        return unseen(name, target, "the table is in the repository only")
    rows = [line for line in table.read_text().splitlines() if _ROW.match(line)]
    automated = sum("::" in row for row in rows)
    verdict: Verdict = "holds" if automated >= AUTOMATED_AT_LEAST else "fails"
    return Level(name, target, f"{automated}", len(rows), NOTHING, verdict)


def gains() -> list[Level]:
    """What choosing the size is worth, by the newest stored ablation, a row a scenario."""
    run = BacktestRun.objects.filter(kind=BacktestRun.Kind.ABLATION).order_by("-created_at").first()
    leads = [] if run is None else msgspec.convert(run.results, AblationResult).leads
    if not leads:
        return [unseen("PnL over the best fixed size", "≥ +25%", "run manage.py ablate first")]
    levels = []
    for lead in leads:
        level = gain_level(lead)
        levels.append(msgspec.structs.replace(level, name=f"{level.name}, {lead.scenario}"))
    return levels


def elsewhere() -> list[Level]:
    """What is proven by tests or an acceptance alone, so that nobody misses it here."""
    return [
        unseen("kill -9 at the 15 crash points", "0 wrong", "pytest trading/tests/kills"),
        unseen(
            "signed swap equals the programs' layout",
            "every byte",
            "manage.py build_swap on deployed programs",
        ),
    ]
