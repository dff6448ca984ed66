"""Times exact pool quotes: the walk, the prefix sums, CPMM, and the PyPI package's quotes.

One Whirlpool of 52 initialised ticks (spacing 4, fee 400), orders that cross 0, 3 and 20 of
them both ways, and a constant-product pool. Every contestant must give the same amounts
before anything is timed. Prints tables in microseconds with ratios of the same run; the
floor is the last step of a quote alone, worked out with the program's own formulas.
Run from the repository's root:  python deploy/bench/pool_quotes.py [--rooms FOLDER]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.bench.peer_rooms import HERE, PeerMissing, make_room
from deploy.bench.tables import microseconds, print_table
from feeds.market import clmm, cpmm
from feeds.market.pools import Amounts, CpmmPool, Swap, Whirlpool
from feeds.market.prefix import PrefixQuoter
from feeds.market.quoter import quoter_for
from feeds.market.steps import step_exact_in, step_exact_out
from feeds.market.tests.golden_rows import cpmm_pool, whirlpool
from feeds.market.ticks import MAX_SQRT_PRICE, MIN_SQRT_PRICE

CROSSINGS = (0, 3, 20)
TICK = -19_002
WAYS = [(a_to_b, exact_in) for a_to_b in (True, False) for exact_in in (True, False)]


def pool_of_52_ticks() -> tuple[Whirlpool, dict[int, int]]:
    """26 positions around the price, and the nets of their ticks."""
    rng = random.Random(52)  # noqa: S311 the same pool in every run
    nets: dict[int, int] = {}
    liquidity = 3 * 10**13
    sides = [rng.sample(range(1, 170), 26) for _ in range(2)]
    for below, above in zip(*sides, strict=True):
        size = rng.randint(10**11, 10**12)
        nets[(TICK // 4 - below) * 4] = size
        nets[(TICK // 4 + above) * 4] = -size
        liquidity += size
    return whirlpool(TICK, ticks=nets, liquidity=liquidity, within=10**12), nets


def most_crossing(pool: Whirlpool, count: int, a_to_b: bool, exact_in: bool) -> int:
    """The largest amount that crosses at most `count` ticks, found by halving."""
    low, high = 0, 2**63
    while low < high:
        middle = (low + high + 1) // 2
        swap = clmm.swap(pool, middle, exact_in=exact_in, a_to_b=a_to_b)
        if isinstance(swap, Swap) and swap.crossings <= count:
            low = middle
        else:
            high = middle - 1
    return low


class Order:
    """One order of the bench and what it costs each contestant."""

    def __init__(self, pool: Whirlpool, crossings: int, a_to_b: bool, exact_in: bool) -> None:
        self.pool, self.crossings, self.a_to_b, self.exact_in = pool, crossings, a_to_b, exact_in
        least, most = (
            most_crossing(pool, count, a_to_b, exact_in) if count >= 0 else 0
            for count in (crossings - 1, crossings)
        )
        self.amount = (least + most) // 2
        self.quoter = PrefixQuoter(pool, a_to_b=a_to_b)
        swap = self.walk()
        assert isinstance(swap, Swap)
        self.amounts = Amounts(swap.amount_in, swap.amount_out)
        assert swap.crossings == crossings
        assert self.prefix() == self.amounts == self.amounts_alone()

    def walk(self) -> object:
        return clmm.swap(self.pool, self.amount, exact_in=self.exact_in, a_to_b=self.a_to_b)

    def amounts_alone(self) -> object:
        """The walk without the pool it leaves."""
        return clmm.amounts(self.pool, self.amount, exact_in=self.exact_in, a_to_b=self.a_to_b)

    def prefix(self) -> object:
        return self.quoter.quote(self.amount, self.exact_in)

    def floor(self) -> object:
        """A last step without anything around it."""
        step = step_exact_in if self.exact_in else step_exact_out
        price, rate = self.pool.sqrt_price, self.pool.fee_rate
        target = MIN_SQRT_PRICE if self.a_to_b else MAX_SQRT_PRICE
        return step(10**6, rate, self.pool.liquidity, price, target, self.a_to_b)

    @property
    def name(self) -> str:
        way = "a to b" if self.a_to_b else "b to a"
        return f"{way}, exact {'in' if self.exact_in else 'out'}, {self.crossings} crossings"


def essentials(
    python: Path | None, pool: Whirlpool, nets: dict[int, int], orders: Sequence[Order]
) -> list[float | str]:
    """The peer's microseconds an order, after its amounts were found equal to ours."""
    if python is None:
        return ["-"] * len(orders)
    fields = ("tick_spacing", "fee_rate", "protocol_fee_rate", "liquidity", "sqrt_price")
    asked: dict[str, Any] = {
        "pool": {name: getattr(pool, name) for name in (*fields, "tick_current_index")},
        "nets": nets,
        "loops": 50,
        "orders": [
            {
                "amount": order.amount,
                "a_to_b": order.a_to_b,
                "exact_in": order.exact_in,
                "arrays": clmm.arrays_for_swap(pool, order.a_to_b),
            }
            for order in orders
        ],
    }
    run = subprocess.run(
        [str(python), str(HERE / "essentials_quotes.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    took: list[float | str] = []
    for order, (amount_in, amount_out, micros) in zip(orders, json.loads(run.stdout), strict=True):
        assert Amounts(amount_in, amount_out) == order.amounts, f"{order.name}: the peer differs"
        took.append(micros)
    return took


def whirlpool_table(python: Path | None) -> None:
    """Walk, prefix sums and the peer over all orders."""
    pool, nets = pool_of_52_ticks()
    orders = [Order(pool, count, *way) for way in WAYS for count in CROSSINGS]
    peers = essentials(python, pool, nets, orders)
    rows = []
    for order, peer in zip(orders, peers, strict=True):
        floor, walk = microseconds(order.floor), microseconds(order.walk, 300)
        prefix, alone = microseconds(order.prefix), microseconds(order.amounts_alone, 300)
        ratio = "-" if isinstance(peer, str) else f"{peer / prefix:.0f}x"
        rows.append([order.name, floor, prefix, prefix / floor, alone, walk, peer, ratio])
    print_table(
        "Whirlpool, 52 ticks, static fee: µs a quote (all amounts equal)",
        [
            "order",
            "last step",
            "prefix",
            "/floor",
            "walk",
            "walk+state",
            "essentials",
            "ess./prefix",
        ],
        rows,
    )
    rows = []
    for a_to_b in (True, False):
        quoter = PrefixQuoter(pool, a_to_b=a_to_b)
        quoter.sum_steps(2**64, True)
        everything = microseconds(lambda way=a_to_b: rebuilt(pool, way), 200)
        first = orders[0 if a_to_b else 6]
        fresh = microseconds(
            lambda way=a_to_b, one=first: PrefixQuoter(pool, a_to_b=way).quote(one.amount, True),
            200,
        )
        rows.append(["a to b" if a_to_b else "b to a", fresh, everything])
    print_table(
        "After a pool update: µs",
        ["direction", "first quote, no crossing", "all steps summed"],
        rows,
    )


def rebuilt(pool: Whirlpool, a_to_b: bool) -> None:
    """Sum every step of a direction, as far as the arrays go."""
    PrefixQuoter(pool, a_to_b=a_to_b).sum_steps(2**64, True)


def cpmm_table() -> None:
    """The constant-product quote against its bare formula."""
    pool: CpmmPool = cpmm_pool()
    quoter = quoter_for(pool, a_to_b=True)
    held_in, held_out = cpmm.reserves(pool)
    amount = 10**9
    bare = {
        True: lambda: cpmm.output_floor(held_in, held_out, amount),
        False: lambda: cpmm.input_ceil(held_in, held_out, amount, "current"),
    }
    rows = []
    for exact_in in (True, False):
        swap = cpmm.swap(pool, amount, exact_in=exact_in, a_to_b=True)
        assert isinstance(swap, Swap)
        assert quoter.quote(amount, exact_in) == Amounts(swap.amount_in, swap.amount_out)
        floor = microseconds(bare[exact_in])
        mine = microseconds(lambda way=exact_in: quoter.quote(amount, way))
        whole = microseconds(
            lambda way=exact_in: cpmm.swap(pool, amount, exact_in=way, a_to_b=True)
        )
        name = f"exact {'in' if exact_in else 'out'}"
        rows.append([name, floor, mine, mine / floor, whole])
    print_table(
        "Constant product: µs a quote",
        ["order", "formula", "quote", "/floor", "with the state after"],
        rows,
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rooms", type=Path, help="where the peer's environment is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spreadline-bench-") as scratch:
        rooms = options.rooms or Path(scratch)
        rooms.mkdir(parents=True, exist_ok=True)
        whirlpool_table(peer(rooms.resolve()))
    cpmm_table()


def peer(rooms: Path) -> Path | None:
    """The interpreter that has the peer; None, after a line that says so, where none can."""
    try:
        return make_room(rooms, sys.executable, "requirements-pools.txt")
    except PeerMissing as missing:
        print(f"whirlpool-essentials: {missing}; its rows are left out")
        return None


if __name__ == "__main__":
    main()
