"""Two shards over one account: neither one cap nor one balance is ever exceeded.

Real connections of two stores, each with its own lease, as two engine processes have them.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from arbsite.clock import seeded_random
from arbsite.errors import SetupError
from risk.models import RiskDay
from trading.intent import Intent
from trading.models import Reservation, Trade
from trading.needs import FEE_SOL, Funds, Need, needs_of
from trading.storage.lease import Lease
from trading.storage.store import TradeStore
from trading.tests.intents import NOW_NS, make_intent, make_settings, planned

FREE_USDC = 2_000
LIVE = make_settings()
DIRECTIONS = ("buy_dex_sell_cex", "buy_cex_sell_dex")


def usdc(amount: int, *, free: int = FREE_USDC, known_ns: int = NOW_NS) -> Need:
    return Need("solana", "USDC", Decimal(amount), Decimal(free), known_ns)


async def record(store: TradeStore, intent: Intent, *needs: Need) -> str:
    return await store.record_intent(
        intent, LIVE, trade_id=uuid4(), attempts=planned(intent), needs=needs
    )


def intent_of(number: int, asset: str = "SOL") -> Intent:
    """One of many at once; the first two can be read back, for they have real directions."""
    direction = DIRECTIONS[number] if number < len(DIRECTIONS) else f"direction {number}"
    return make_intent(number, asset=asset, direction=direction)


@pytest.mark.parametrize("seed", range(4))
async def test_one_balance_is_never_promised_twice(
    shards: dict[str, TradeStore], seed: int
) -> None:
    rng = seeded_random(f"shards/{seed}")
    amounts = [rng.randint(100, 900) for _ in range(16)]

    async def one(number: int, amount: int) -> str:
        shard, asset = (("east", "SOL"), ("west", "JUP"))[number % 2]
        # The other balance in the other order: two shards must not wait for each other.
        sol = Need("kraken", "SOL", Decimal(1), Decimal(1000), NOW_NS)
        needs = [sol, usdc(amount)] if number % 3 else [usdc(amount), sol]
        return await record(shards[shard], intent_of(number, asset), *needs)

    verdicts = await asyncio.gather(*(one(*each) for each in enumerate(amounts)))
    assert set(verdicts) == {"recorded", "balance:solana USDC"}
    taken = sum(amount for amount, v in zip(amounts, verdicts, strict=True) if v == "recorded")
    assert taken <= FREE_USDC
    rows = await sync_to_async(list)(Reservation.objects.filter(asset="USDC"))
    assert sum(row.amount for row in rows) == taken
    # Refused for lack of money means that nothing of it stands.
    assert await sync_to_async(Trade.objects.count)() == verdicts.count("recorded")
    days = await sync_to_async(list)(RiskDay.objects.all())
    assert sum(day.trades for day in days) == verdicts.count("recorded")


async def test_one_cap_is_never_exceeded_by_two_shards(shards: dict[str, TradeStore]) -> None:
    caps = make_settings(daily_notional_cap_usd=Decimal(1000))
    stores = [shards["east"], shards["west"]]

    async def one(number: int) -> str:
        intent = intent_of(number)
        return await stores[number % 2].record_intent(
            intent, caps, trade_id=uuid4(), attempts=planned(intent)
        )

    verdicts = await asyncio.gather(*(one(number) for number in range(14)))
    assert sorted(set(verdicts)) == ["cap:daily_notional", "recorded"]
    day = await sync_to_async(RiskDay.objects.get)()
    assert day.notional_reserved == 150 * verdicts.count("recorded") == 900


async def test_what_is_over_counts_until_the_balances_show_it(
    shards: dict[str, TradeStore],
) -> None:
    east, west = shards["east"], shards["west"]
    assert await record(east, intent_of(0), usdc(1_500)) == "recorded"
    assert await record(west, intent_of(1, "JUP"), usdc(1_000)) == "balance:solana USDC"
    (trade,) = await east.unfinished_trades()
    trade.is_settled = True
    await east.commit(trade)
    before, after = usdc(1_000, known_ns=NOW_NS), usdc(1_000, known_ns=NOW_NS + 1)
    assert await record(west, intent_of(2, "JUP"), before) == "balance:solana USDC"
    assert await record(west, intent_of(3, "JUP"), after) == "recorded"


async def test_our_own_end_frees_at_once(shards: dict[str, TradeStore]) -> None:
    east = shards["east"]
    assert await record(east, intent_of(0), usdc(1_500)) == "recorded"
    assert await record(east, intent_of(1), usdc(1_000)) == "balance:solana USDC"
    (trade,) = await east.unfinished_trades()
    trade.is_settled = True
    await east.commit(trade)
    assert await record(east, intent_of(2), usdc(1_000)) == "recorded"


async def test_an_open_trade_of_the_other_shard_is_left_alone(
    shards: dict[str, TradeStore],
) -> None:
    east, west = shards["east"], shards["west"]
    intent = intent_of(0)
    await record(east, intent, usdc(100))
    (order, swap) = planned(intent)
    assert await west.unfinished_trades() == []
    for name in (order.cl_ord_id, swap.signature):
        assert name is not None
        assert await west.trade_by_reference(name) is None
        assert await west.is_of_another_shard(name)
        assert await east.trade_by_reference(name) is not None
        assert not await east.is_of_another_shard(name)
    assert await west.is_another_resolving()
    assert not await east.is_another_resolving()


async def test_a_kraken_key_serves_one_shard(
    shards: dict[str, TradeStore], test_database_url: str
) -> None:
    north = Lease(test_database_url, shard="north", holder="n", key_name="one key")
    south = Lease(test_database_url, shard="south", holder="s", key_name="one key")
    await north.acquire()
    with pytest.raises(SetupError, match="KRAKEN_KEY_FILE"):
        await south.acquire()
    await north.release()
    await south.release()
    await south.acquire()
    await south.release()


def test_an_intent_needs_the_most_it_can_spend() -> None:
    funds = Funds({"SOL": Decimal(3)}, {"USDC": 5}, 70_000, NOW_NS)
    sells, swaps, fees = needs_of(make_intent(tip_lamports=7), funds, 4)
    assert sells == Need("kraken", "SOL", Decimal(1), Decimal(3), NOW_NS)
    assert swaps == Need("solana", "USDC", Decimal(150_400_000), Decimal(5), NOW_NS)
    # Four times 5,000 for the signature, 200,000 units at 100,000 micro-lamports, and the tip.
    assert fees == Need("solana", FEE_SOL, Decimal(4 * 25_007), Decimal(70_000), NOW_NS)
    buys, sold, _ = needs_of(make_intent(cex_side="buy"), funds, 4)
    assert buys == Need("kraken", "USD", Decimal("153.0150"), Decimal(0), NOW_NS)
    assert (sold.asset, sold.amount) == ("SOL", Decimal(10**9))


async def test_fees_of_two_shards_are_not_promised_from_one_floor(
    shards: dict[str, TradeStore],
) -> None:
    funds = Funds({"SOL": Decimal(99)}, {"USDC": 10**12}, 250_000, NOW_NS)
    stores = [shards["east"], shards["west"]]

    async def one(number: int) -> str:
        intent = intent_of(number)
        return await record(stores[number % 2], intent, *needs_of(intent, funds, 4))

    verdicts = await asyncio.gather(*(one(number) for number in range(6)))
    assert sorted(verdicts) == ["balance:solana fee SOL"] * 4 + ["recorded"] * 2
    held = await sync_to_async(list)(Reservation.objects.filter(asset=FEE_SOL))
    assert sum(row.amount for row in held) == 200_000 <= funds.fee_lamports


async def test_what_was_kept_for_fees_is_free_after_the_trade(
    shards: dict[str, TradeStore],
) -> None:
    east, intent = shards["east"], intent_of(0)
    funds = Funds({"SOL": Decimal(99)}, {"USDC": 10**12}, 150_000, NOW_NS)
    assert await record(east, intent, *needs_of(intent, funds, 4)) == "recorded"
    second = intent_of(1)
    needs = needs_of(second, funds, 4)
    assert await record(east, second, *needs) == "balance:solana fee SOL"
    (trade,) = await east.unfinished_trades()
    trade.is_settled = True
    await east.commit(trade)
    assert await record(east, second, *needs) == "recorded"


async def test_a_wallet_below_its_floor_pays_for_no_intent(
    shards: dict[str, TradeStore],
) -> None:
    funds = Funds({"SOL": Decimal(99)}, {"USDC": 10**12}, -1, NOW_NS)
    intent = intent_of(0)
    verdict = await record(shards["east"], intent, *needs_of(intent, funds, 1))
    assert verdict == "balance:solana fee SOL"
    assert await sync_to_async(Trade.objects.count)() == 0
