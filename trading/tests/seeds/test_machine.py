"""Any order of what may happen to a desk, drawn step by step: the invariants I1-I15 hold.

The rules are those of the protocol's design (§6). Each run ends like a seed of the proof:
faults over, everything settled, judged from the venues' truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from trading.proof.database import ProofDatabase
from trading.proof.desk import ProofDesk
from trading.proof.judge import Judge
from trading.proof.loop import ProofLoop
from trading.proof.policies import Policy, ResendOnTimeout
from trading.proof.script import CONTROLS, LEG_ORDERS, VENUE_FAULTS, Act, Script

KNOBS = st.sampled_from(VENUE_FAULTS).flatmap(
    lambda fault: st.tuples(st.just(fault[0]), st.sampled_from(fault[1]))
)


class DeskMachine(RuleBasedStateMachine):
    """One desk on a loop of its own; each rule is an act, then a little time passes."""

    database: ClassVar[ProofDatabase]
    policy: ClassVar[type[Policy]] = Policy

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=ProofLoop)
        self.desk: ProofDesk | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.runner.run(work)

    def act(self, kind: Any, what: str = "", value: Any = None, seconds: float = 0.0) -> None:
        desk = self.desk
        assert desk is not None

        async def do() -> None:
            desk.act(Act(0.0, kind, what, value, seconds))
            await asyncio.sleep(0.001)

        self.run(do())

    @initialize(order=st.sampled_from(LEG_ORDERS), cap=st.sampled_from((1_000_000, 700)))
    def open_the_desk(self, order: str, cap: int) -> None:
        script = Script(0, order, 400, cap, (Act(0.0, "fault", "kraken.visibility_lag_s", 0.0),))

        async def begin() -> None:
            self.desk = ProofDesk(script, self.database, self.policy())
            await self.desk.open()
            await asyncio.sleep(0.5)

        self.run(begin())

    @rule(seconds=st.sampled_from((0.01, 0.05, 0.3, 1.0, 4.0, 14.0)))
    def tick(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(bid=st.sampled_from((15_150, 14_850)), depth_sol=st.sampled_from((100.0, 0.7)))
    def opportunity(self, bid: int, depth_sol: float) -> None:
        self.act("fair")
        self.run(asyncio.sleep(0.6))
        self.act("edge", value=bid, seconds=depth_sol / 1e3)

    @rule(bid=st.sampled_from((14_700, 15_000, 15_300)))
    def price_move(self, bid: int) -> None:
        self.act("book", value=bid)

    @rule(knob=KNOBS, seconds=st.sampled_from((0.4, 2.0, 8.0)))
    def venue_fault(self, knob: tuple[str, Any], seconds: float) -> None:
        """send_lost, send_late, reply_lost, partial, reject, query_err, lag, fork, expire."""
        self.act("fault", knob[0], knob[1], seconds)

    @rule()
    def crash(self) -> None:
        self.act("die_now")

    @rule(acts=st.integers(1, 8), place=st.sampled_from(("before", "after")))
    def crash_at_a_commit(self, acts: int, place: str) -> None:
        self.act("die_at_act", place, acts)

    @rule()
    def second_engine(self) -> None:
        self.act("second_engine")

    @rule(acts=st.integers(1, 4), seconds=st.sampled_from((0.3, 5.0)))
    def pause_process(self, acts: int, seconds: float) -> None:
        self.act("pause_process", value=acts, seconds=seconds)

    @rule(mode=st.sampled_from(sorted(set(CONTROLS))), notice_s=st.sampled_from((0.0, 0.9)))
    def pause_or_kill_click(self, mode: str, notice_s: float) -> None:
        self.act("control", mode, notice_s)

    @rule(order=st.sampled_from(LEG_ORDERS))
    def config_edit(self, order: str) -> None:
        self.act("config", order, 0.0)

    @rule(shift_s=st.sampled_from((-6.0, 6.0)))
    def clock_jump(self, shift_s: float) -> None:
        self.act("clock", value=shift_s, seconds=4.0)

    @rule(kind=st.sampled_from(("outage", "slow", "lost_answers")))
    def database_trouble(self, kind: str) -> None:
        value = 2 if kind == "lost_answers" else 0.3
        self.act(kind, value=value, seconds=3.0)

    def teardown(self) -> None:
        try:
            if self.desk is not None:
                self.run(self._end(self.desk))
        finally:
            self.runner.close()

    async def _end(self, desk: ProofDesk) -> None:
        try:
            # Longer than any fault or clock jump that was drawn.
            await asyncio.sleep(8.0)
            await desk.settle()
            await Judge(desk.script, desk.venues, self.database, desk.witness).judge()
            found = [str(violation) for violation in desk.witness.violations]
        finally:
            await desk.close()
        assert not found, "\n".join(found)


def machine_settings(examples: int, *, shrinks: bool = True) -> settings:
    return settings(
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        max_examples=examples,
        stateful_step_count=14,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_invariants_hold_whatever_happens(proof_database: ProofDatabase) -> None:
    DeskMachine.database = proof_database
    run_state_machine_as_test(DeskMachine, settings=machine_settings(40))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_machine_finds_a_wrong_policy(proof_database: ProofDatabase) -> None:
    class Wrong(DeskMachine):
        policy = ResendOnTimeout
        database = proof_database

        @rule()
        def an_opportunity_whose_answer_is_lost(self) -> None:
            self.opportunity(15_150, 100.0)
            self.act("fault", "kraken.ack_lost_placed_p", 1.0, 8.0)
            self.run(asyncio.sleep(4.0))

    with pytest.raises(AssertionError, match="I1"):
        run_state_machine_as_test(Wrong, settings=machine_settings(20, shrinks=False))
