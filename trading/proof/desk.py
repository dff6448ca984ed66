"""One seed as it is lived: venues, database, engines that die, and the script's acts.

`prove_seed` is the whole: empty the tables, play the script, let everything settle, judge.
Called by the worker (`run`), the tests of wrong policies and the state machine.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from arbsite.clock import LoopClock, seeded_random
from feeds.sim.competitors import pool_price, swap_to_price
from feeds.sim.solana.accounts import Ledger
from feeds.sim.solana.blocks import Bid
from feeds.still_venues import SimVenues
from trading.proof import market
from trading.proof.database import ProofDatabase, Weather
from trading.proof.judge import Judge
from trading.proof.life import EngineLife
from trading.proof.loop import ProofLoop
from trading.proof.policies import Policy
from trading.proof.results import SeedResult
from trading.proof.script import Act, Script, script_of
from trading.proof.witness import Witness

FAIR_BID = 14_999
LOOK_EVERY_S = 0.25
LOOKS_FOR_S = 3.0
NOTIFY_S = 0.005
WARM_UP_S = 1.7
SETTLES_WITHIN_S = 300.0
RECORDS_S = 1.0
# Longer than any visibility lag that a script sets.
LATE_RECORDS_S = 7.0
POOL_SWAP_LAMPORTS = 50_000_000


class ShiftedClock(LoopClock):
    """The engine host's clock: its wall may be off, its monotonic time never is."""

    def __init__(self) -> None:
        super().__init__()
        self.shift_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.shift_ns


class ProofDesk:
    """Everything around the lives of the engine."""

    def __init__(self, script: Script, database: ProofDatabase, policy: Policy) -> None:
        self.script = script
        self.database = database
        self.policy = policy
        self.weather = Weather()
        self.has_rivals = asyncio.Event()
        self.engine_clock = ShiftedClock()
        self.venues = SimVenues(seed=f"proof/{script.seed}")
        self.witness = Witness(database, self.engine_clock)
        self.lives: list[EngineLife] = []
        self.deaths = 0
        self._born = 0
        self._rng = seeded_random(f"proof/{script.seed}/desk")
        self._depth_sol = 100.0
        self._look_until_s = 0.0
        self._has_edge = asyncio.Event()
        self._pool_moves: list[float] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._pending: set[asyncio.Task[Any]] = set()
        self.failure: BaseException | None = None

    # ---- the story --------------------------------------------------------------------

    async def open(self) -> None:
        """Empty the tables, open the venues, and start the first engine."""
        await self._reset()
        self.venues.start()
        self.venues.quote(FAIR_BID)
        self.venues.chain.actors.append(self._move_pool)
        # A node shows an account at `confirmed` only when the chain is some slots old.
        await asyncio.sleep(WARM_UP_S)
        self._keepers.append(asyncio.create_task(self._keep_an_engine()))
        self._start(self._watch_market())

    async def play(self) -> None:
        """Do the script's acts at their times, then let everything settle."""
        loop = asyncio.get_running_loop()
        starts_s = loop.time()
        for act in self.script.acts:
            await asyncio.sleep(max(0.0, starts_s + act.at_s - loop.time()))
            self.act(act)
        await asyncio.sleep(max(0.0, starts_s + self.script.end_s - loop.time()))
        await self.settle()

    async def settle(self) -> None:
        """End every fault, wait until nothing is open, reconcile once more, wait again."""
        await self._calm()
        await self._until_idle()
        is_late = any(act.what == "kraken.visibility_lag_s" for act in self.script.acts)
        await asyncio.sleep(LATE_RECORDS_S if is_late else RECORDS_S)
        for life in self.lives:
            life.gap.set()
        await asyncio.sleep(RECORDS_S)
        await self._until_idle()

    async def close(self) -> None:
        """Stop the engines and the venues where they stand."""
        for task in [*self._keepers, *self._pending]:
            task.cancel()
        for life in self.lives:
            life.die("the seed is over")
        await asyncio.gather(*self._keepers, *self._pending, return_exceptions=True)
        for life in self.lives:
            await life.bury()
        await self.venues.stop()
        if self.failure is not None:
            raise self.failure

    def act(self, act: Act) -> None:
        """Do one act now; what takes time goes on by itself."""
        self.witness.note(f"act {act.kind} {act.what} {act.value} for {act.seconds} s")
        getattr(self, f"_do_{act.kind}")(act)

    # ---- acts -------------------------------------------------------------------------

    def _do_edge(self, act: Act) -> None:
        self._depth_sol = act.seconds * 1e3
        self.venues.quote(act.value, self._depth_sol)
        self._look_until_s = asyncio.get_running_loop().time() + LOOKS_FOR_S
        self._has_edge.set()

    def _do_fair(self, _: Act) -> None:
        self.venues.quote(FAIR_BID)

    def _do_book(self, act: Act) -> None:
        self.venues.quote(act.value, self._depth_sol)

    def _do_pool(self, act: Act) -> None:
        self._pool_moves.append(1 + act.value / 1e4)

    def _do_fault(self, act: Act) -> None:
        # A shot acts once; the board ends the others by its own timer.
        self.venues.faults.set(act.what, act.value, seconds=act.seconds)

    def _do_outage(self, act: Act) -> None:
        self.weather.is_down = True
        self._later(act.seconds, lambda: setattr(self.weather, "is_down", False))

    def _do_slow(self, act: Act) -> None:
        self.weather.delay_s = act.value
        self._later(act.seconds, lambda: setattr(self.weather, "delay_s", 0.0))

    def _do_read_only(self, act: Act) -> None:
        async def be_read_only() -> None:
            await self.database.set_read_only(True)
            await asyncio.sleep(act.seconds)
            await self.database.set_read_only(False)

        self._start(be_read_only())

    def _do_lost_answers(self, act: Act) -> None:
        self.weather.answers_to_lose = act.value

    def _do_die_now(self, _: Act) -> None:
        if self.lives:
            self.lives[-1].die("killed")

    def _do_die_at_act(self, act: Act) -> None:
        if self.lives:
            self.lives[-1].pool.die_at(act.value, act.what)

    def _do_second_engine(self, _: Act) -> None:
        self.has_rivals.set()
        self._keepers.append(asyncio.create_task(self._keep_an_engine()))

    def _do_pause_process(self, act: Act) -> None:
        if self.lives:
            self.lives[-1].pool.stand_still_at(act.value, act.seconds)

    def _do_control(self, act: Act) -> None:
        self._start(self._set_mode(act.what, act.value))

    def _do_config(self, act: Act) -> None:
        self._start(self._edit_config(act.what, act.value))

    def _do_clock(self, act: Act) -> None:
        self.witness.is_wall_trusted = False
        self.engine_clock.shift_ns = int(act.value * 1e9)
        self._later(act.seconds, lambda: setattr(self.engine_clock, "shift_ns", 0))

    # ---- people and rules -------------------------------------------------------------

    async def _set_mode(self, mode: str, notice_s: float) -> None:
        """Change the desk's control row; engines hear of it after `notice_s`."""
        await self.database.rows(
            "UPDATE risk_control SET mode = %s, version = version + 1 WHERE scope = '*'", mode
        )
        await self._wake_engines(notice_s)

    async def _edit_config(self, leg_order: str, notice_s: float) -> None:
        await self.database.rows(
            "UPDATE trading_assetconfig SET leg_order = %s, version = version + 1", leg_order
        )
        await self._wake_engines(notice_s)

    async def _wake_engines(self, notice_s: float) -> None:
        await asyncio.sleep(notice_s + NOTIFY_S)
        for life in list(self.lives):
            while not life.dead.is_set():
                try:
                    await life.read_desk()
                    break
                except psycopg.Error:
                    await asyncio.sleep(1.0)

    async def raise_stop(self, scope: str, rule: str, text: str, value: str, limit: str) -> None:
        """An engine's own trip, as `risk.services.trip` writes it (less the audit)."""
        if self.weather.is_down:
            raise psycopg.OperationalError("connection refused")
        entry = {"text": text, "value": value, "limit": limit, "since_ns": 0}
        await self.database.rows(
            "UPDATE risk_control SET trips = trips || %s, version = version + 1 WHERE scope = %s",
            Jsonb({rule: entry}),
            scope,
        )
        self.witness.note(f"stop {scope} {rule}")
        self._start(self._wake_engines(0.0))

    # ---- the market -------------------------------------------------------------------

    async def _watch_market(self) -> None:
        """Show every engine the market while an opportunity lasts."""
        while True:
            if asyncio.get_running_loop().time() > self._look_until_s:
                self._has_edge.clear()
                await self._has_edge.wait()
            for life in list(self.lives):
                if life.is_deciding and not life.dead.is_set():
                    now_ns = self.engine_clock.now_ns()
                    for event in market.frames(self.venues, life.readiness, now_ns):
                        life.apply(event)
            await asyncio.sleep(LOOK_EVERY_S)

    def _move_pool(self, _slot: int, _at_ns: int) -> list[Bid]:
        moves, self._pool_moves = self._pool_moves, []
        traded = self.venues.market

        def act(accounts: Ledger, now_s: int) -> None:
            here = pool_price(accounts.pool(traded.spec.pool), traded)
            for move in moves:
                swap_to_price(accounts, traded, here * move, now_s)

        return [Bid(POOL_SWAP_LAMPORTS, act)] if moves else []

    # ---- engines ----------------------------------------------------------------------

    async def _keep_an_engine(self) -> None:
        """The supervisor of one engine slot: start, and start again, while it is needed.

        An engine that was fenced finds another one in charge; its slot stays empty.
        """
        while True:
            self._born += 1
            life = EngineLife(self, self._born)
            self.lives.append(life)
            self.witness.note(f"life {life.number} begins")
            await life.live()
            self.deaths += 1
            self.witness.note(f"life {life.number} ends: {life.cause}")
            self.lives.remove(life)
            if any(other.number > life.number for other in self.lives):
                return
            await asyncio.sleep(self._rng.uniform(0.3, 1.5))

    async def _calm(self) -> None:
        self.venues.faults.reset()
        self.venues.faults.set("solana.land_p", 1.0)
        self.weather.is_down = False
        self.weather.delay_s, self.weather.answers_to_lose = 0.0, 0
        self.engine_clock.shift_ns = 0
        self.venues.quote(FAIR_BID)
        for life in self.lives:
            life.pool.die_at(0, "")
        await self.database.set_read_only(False)

    async def _until_idle(self) -> None:
        deadline_s = asyncio.get_running_loop().time() + SETTLES_WITHIN_S
        quiet = 0
        while quiet < 2:
            await asyncio.sleep(0.25)
            is_quiet = len(self.lives) == 1 and self.lives[0].is_idle
            quiet = quiet + 1 if is_quiet else 0
            if asyncio.get_running_loop().time() > deadline_s:
                self.witness.find("I6", "the desk did not come to rest")
                return

    # ---- small things -----------------------------------------------------------------

    def _later(self, seconds: float, change: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, change)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._pending.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failure = self.failure or task.exception()

    async def _reset(self) -> None:
        await self.database.set_read_only(False)
        await self.database.empty()
        await self.database.rows(
            "UPDATE trading_assetconfig SET leg_order = %s, max_notional_usd = %s,"
            " daily_notional_cap_usd = %s",
            self.script.leg_order,
            self.script.max_notional_usd,
            self.script.daily_cap_usd,
        )


async def prove_seed(
    script: Script, database: ProofDatabase, policy: Policy, *, is_logged: bool = False
) -> SeedResult:
    """Live one seed to its end and judge it."""
    desk = ProofDesk(script, database, policy)
    try:
        await desk.open()
        await desk.play()
        judge = Judge(script, desk.venues, database, desk.witness)
        await judge.judge()
        lines = await judge.log_lines()
        trades = await database.rows("SELECT count(*) AS n FROM trading_trade")
        return SeedResult(
            seed=script.seed,
            violations=tuple(desk.witness.violations),
            log_hash=judge.hash_of(lines),
            trades=trades[0]["n"],
            orders=desk.witness.orders,
            swaps=len(desk.witness.sends) - desk.witness.orders,
            deaths=desk.deaths,
            faults=len(script.acts) - script.count("edge", "fair"),
            virtual_s=asyncio.get_running_loop().time(),
            lines=tuple(lines) if is_logged else (),
        )
    finally:
        await desk.close()


def run_seed(
    seed: int, database: ProofDatabase, policy: Policy, *, is_logged: bool = False
) -> SeedResult:
    """`prove_seed` on a virtual loop of its own."""
    work = prove_seed(script_of(seed), database, policy, is_logged=is_logged)
    with asyncio.Runner(loop_factory=ProofLoop) as runner:
        return runner.run(work)
