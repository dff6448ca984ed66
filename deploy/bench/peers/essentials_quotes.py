"""Quotes of the PyPI package whirlpool-essentials, timed; run by pool_quotes.py in its venv.

Reads one JSON object from standard input (the pool, its arrays, orders, loops) and prints
one list: for each order the amounts and the least disturbed microseconds of a quote.
"""

import json
import sys
import time
import timeit

from orca_whirlpool.accounts import TickArray, Whirlpool
from orca_whirlpool.internal.anchor.types import Tick
from orca_whirlpool.quote import QuoteBuilder, SwapQuoteParams
from orca_whirlpool.types import Percentage, SpecifiedAmount, SwapDirection
from solders.pubkey import Pubkey

KEY = Pubkey.default()


def tick_array(start, spacing, nets):
    """One array of 88 ticks; `nets` maps tick indexes (as text) to their liquidity."""
    ticks = [
        Tick(
            str(index) in nets, nets.get(str(index), 0), abs(nets.get(str(index), 0)), 0, 0, [0] * 3
        )
        for index in range(start, start + 88 * spacing, spacing)
    ]
    return TickArray(pubkey=KEY, start_tick_index=start, ticks=ticks, whirlpool=KEY)


def whirlpool(fields):
    """The account with the fields a quote reads; the others are empty."""
    return Whirlpool(
        pubkey=KEY,
        whirlpools_config=KEY,
        whirlpool_bump=[0],
        tick_spacing_seed=[0, 0],
        protocol_fee_owed_a=0,
        protocol_fee_owed_b=0,
        token_mint_a=KEY,
        token_vault_a=KEY,
        fee_growth_global_a=0,
        token_mint_b=KEY,
        token_vault_b=KEY,
        fee_growth_global_b=0,
        reward_last_updated_timestamp=0,
        reward_infos=[],
        **fields,
    )


def main():
    """Quote every order once, then time it."""
    asked = json.load(sys.stdin)
    pool = whirlpool(asked["pool"])
    spacing = pool.tick_spacing
    answers = []
    for order in asked["orders"]:
        arrays = [tick_array(start, spacing, asked["nets"]) for start in order["arrays"]]
        params = SwapQuoteParams(
            whirlpool=pool,
            amount=order["amount"],
            other_amount_threshold=0 if order["exact_in"] else 2**64 - 1,
            sqrt_price_limit=4295048016 if order["a_to_b"] else 79226673515401279992447579055,
            direction=SwapDirection.AtoB if order["a_to_b"] else SwapDirection.BtoA,
            specified_amount=(
                SpecifiedAmount.SwapInput if order["exact_in"] else SpecifiedAmount.SwapOutput
            ),
            slippage_tolerance=Percentage(0, 100),
            tick_arrays=arrays,
        )
        quote = QuoteBuilder.swap(params)
        took = timeit.repeat(
            lambda asked=params: QuoteBuilder.swap(asked),
            timer=time.process_time,
            number=asked["loops"],
            repeat=9,
        )
        answers.append(
            [
                quote.estimated_amount_in,
                quote.estimated_amount_out,
                min(took) / asked["loops"] * 1e6,
            ]
        )
    print(json.dumps(answers))


main()
