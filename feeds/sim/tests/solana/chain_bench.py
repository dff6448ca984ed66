"""A bare chain for tests, and transactions built with the trading side's own builders.

Built by `feeds.venues.solana.programs`, executed by the simulator's decoders: two
independent readings of the programs' layouts that must agree.
"""

from __future__ import annotations

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from arbsite.clock import seeded_random
from feeds.sim import seeding
from feeds.sim.competitors import opening_positions
from feeds.sim.faults import FaultBoard
from feeds.sim.scenarios import scenario_of
from feeds.sim.schedule import Schedule
from feeds.sim.seeding import SimMarket
from feeds.sim.solana.chain import SolanaChain
from feeds.sim.solana.landing import LandingSettings
from feeds.sim.solana.market import opening_accounts
from feeds.sim.truth import TruthStore
from feeds.venues.solana import programs

START_NS = 1_790_000_000_000_000_000
WALLET = Keypair.from_bytes(seeding.simulated_credentials().wallet_secret)
OWNER = str(WALLET.pubkey())


class Bench:
    """One chain with the three pools, our wallet, no other actors, steady slots."""

    def __init__(
        self,
        truth: TruthStore | None = None,
        *,
        now_ns: int = START_NS,
        settings: LandingSettings | None = None,
        seed: str = "bench",
    ) -> None:
        self.truth = truth or TruthStore()
        self.schedule = Schedule(now_ns)
        self.faults = FaultBoard()
        self.settings = settings or LandingSettings(skipped_slot_p=0.0, slot_jitter_ms=0.0)
        params = scenario_of("normal").assets
        markets = seeding.simulated_markets()

        def opening():
            positions = [
                position
                for market in markets
                for position in opening_positions(market, params[market.spec.asset].providers)
            ]
            return opening_accounts(markets, positions, {OWNER: seeding.WALLET_OPENING_LAMPORTS})

        self.chain = SolanaChain(
            self.truth, self.schedule, self.faults, seeded_random(seed), self.settings,
            opening, [OWNER],
        )  # fmt: skip
        self.faults.set("solana.land_p", 1.0)
        self.chain.start()

    def slots(self, count: int = 1) -> None:
        """Let `count` slots begin."""
        start = self.chain.slot
        while self.chain.slot < start + count:
            self.schedule.run_next()

    def balance(self, mint: str) -> int:
        return self.chain.bank.raw(seeding.token_account_of(OWNER, mint))

    @property
    def lamports(self) -> int:
        return self.chain.bank.lamports(OWNER)


def signed(
    chain: SolanaChain,
    instructions: list[Instruction],
    *,
    cu_limit: int = 200_000,
    cu_price: int = 0,
    tip: int = 0,
    keypair: Keypair = WALLET,
    blockhash: str | None = None,
) -> bytes:
    """Sign the instructions behind the usual compute-budget ones and before a tip."""
    budget = [set_compute_unit_limit(cu_limit), set_compute_unit_price(cu_price)]
    tail = []
    if tip:
        target = Pubkey.from_string(seeding.tip_accounts()[0])
        tail = [
            transfer(TransferParams(from_pubkey=keypair.pubkey(), to_pubkey=target, lamports=tip))
        ]
    message = MessageV0.try_compile(
        keypair.pubkey(), [*budget, *instructions, *tail], [],
        Hash.from_string(blockhash or chain.newest.blockhash),
    )  # fmt: skip
    return bytes(VersionedTransaction(message, [keypair]))


def swap_instruction(
    market: SimMarket,
    amount: int,
    threshold: int,
    *,
    exact_in: bool,
    a_to_b: bool,
    starts: tuple[int, ...] = (),
) -> Instruction:
    """A swap of our wallet on the market's pool."""
    ref = programs.PoolRef.from_pool(market.pool)
    if ref.kind == "cpmm":
        return programs.cpmm_swap(
            ref, OWNER, amount_raw=amount, threshold_raw=threshold, exact_in=exact_in,
            a_to_b=a_to_b,
        )  # fmt: skip
    return programs.swap_v2(
        ref, OWNER, amount_raw=amount, threshold_raw=threshold, exact_in=exact_in,
        a_to_b=a_to_b, tick_array_starts=tuple(starts),
    )  # fmt: skip


def signed_swap(
    holder,
    market: SimMarket,
    amount: int,
    threshold: int,
    *,
    exact_in: bool,
    a_to_b: bool,
    starts: tuple[int, ...] = (),
    cu_price: int = 0,
    tip: int = 0,
    blockhash: str | None = None,
) -> bytes:
    """A signed swap for a `Bench` or a `World`."""
    instruction = swap_instruction(
        market, amount, threshold, exact_in=exact_in, a_to_b=a_to_b, starts=starts
    )
    return signed(holder.chain, [instruction], cu_price=cu_price, tip=tip, blockhash=blockhash)
