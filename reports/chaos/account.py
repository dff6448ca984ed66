"""What a chaos run has seen: its timeline, its figures, its verdict, and the report of it."""

from __future__ import annotations

from typing import Any

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """One line of the timeline, seconds after the start."""

    at_s: float
    what: str


class Account(msgspec.Struct):
    """One run from its start to its verdict."""

    seed: int
    minutes: float
    moments: list[Moment] = []
    faults: int = 0
    kills: dict[str, int] = {}
    trades: int = 0
    captures: int = 0
    audit: dict[str, Any] = {}
    violations: list[str] = []

    def note(self, at_s: float, what: str) -> None:
        """Add a moment to the timeline."""
        self.moments.append(Moment(at_s, what))

    def count_kill(self, program: str) -> None:
        """Count a SIGKILL."""
        self.kills[program] = self.kills.get(program, 0) + 1

    def judge(self, audit: dict[str, Any], silent: list[str], away: list[str]) -> None:
        """Turn what was found at the end into the verdict; violations are sentences."""
        self.audit = audit
        if not audit:
            self.violations.append("the desk did not settle, so its books could not be compared")
        if audit.get("duplicate_orders"):
            self.violations.append(f"{audit['duplicate_orders']} orders were executed twice")
        if audit.get("duplicate_exec_try"):
            self.violations.append(f"{audit['duplicate_exec_try']} windows were fired at twice")
        if audit.get("ledger_minus_truth"):
            self.violations.append(f"ledger minus truth is {audit['ledger_minus_truth']}")
        for word in ("wrong", "missing"):
            if found := audit.get(f"{word}_references"):
                self.violations.append(f"{word} in the ledger: {', '.join(found)}")
        self.violations += [f"trade {trade} ended with a silent residual" for trade in silent]
        self.violations += [f"{program} did not come back" for program in away]

    def markdown(self) -> str:
        """The report as a Markdown page."""
        verdict = "no violation" if not self.violations else f"{len(self.violations)} violations"
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        lines = [
            f"# Chaos, seed {self.seed}, {self.minutes:g} minutes: {verdict}",
            "",
            f"Again: `manage.py chaos --seed {self.seed} --minutes {self.minutes:g}`",
            "",
            "| figure | value |",
            "|---|---|",
            f"| faults turned on | {self.faults} |",
            f"| processes killed | {kills or 'none'} |",
            f"| trades decided | {self.trades} |",
            f"| both legs filled | {self.captures} |",
            f"| orders executed twice | {self.audit.get('duplicate_orders', 'unknown')} |",
            f"| windows fired at twice | {self.audit.get('duplicate_exec_try', 'unknown')} |",
            f"| ledger − truth | {self._difference()} |",
            f"| trades that wait for a person | {self.audit.get('needs_operator', 'unknown')} |",
            "",
            "## Violations",
            "",
            *([f"- {text}" for text in self.violations] or ["None."]),
            "",
            "## Timeline",
            "",
            "| s | what |",
            "|---|---|",
            *(f"| {moment.at_s:.1f} | {moment.what} |" for moment in self.moments),
        ]
        return "\n".join(lines) + "\n"

    def _difference(self) -> str:
        if not self.audit:
            return "unknown"
        return str(self.audit["ledger_minus_truth"] or "0 exactly")
