"""The codecs against recorded accounts: real values, and encode(decode(x)) == x."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from arbsite.errors import FeedCorrupt
from feeds.market.pools import Swap
from feeds.market.quote import quote
from feeds.venues.solana import layouts
from feeds.venues.solana.layouts import RawAccount
from feeds.venues.solana.programs import ammv4_authority

WHIRLPOOL = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
CPMM = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
AMMV4 = "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"


def recorded(path: Path) -> RawAccount:
    row = json.loads(path.read_text())
    account = row["account"]
    data = base64.b64decode(account["data"][0])
    return RawAccount(row["pubkey"], account["owner"], account["lamports"], data)


def golden_sets(shared_data: Path) -> list[dict[str, Any]]:
    lines = (shared_data / "solana" / "golden_accounts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def unpacked(row: dict[str, Any]) -> RawAccount:
    data = zlib.decompress(base64.b64decode(row["data_zlib_b64"]))
    return RawAccount(row["pubkey"], row["owner"], 0, data)


def test_the_real_sol_usdc_pool_decodes_to_its_known_values(shared_data: Path) -> None:
    account = recorded(shared_data / "solana/accounts/orca_whirlpool_SOLUSDC_Czfq3_20260623.json")
    pool = layouts.decode_whirlpool(account, program=WHIRLPOOL, slot=7)
    assert pool.liquidity == 689480494328519
    assert pool.sqrt_price == 4991046536690114137
    assert pool.tick_current_index == -26147
    assert (pool.tick_spacing, pool.fee_tier_index) == (4, 4)
    assert (pool.fee_rate, pool.protocol_fee_rate) == (400, 1300)
    assert pool.mint_a == "So11111111111111111111111111111111111111112"
    assert pool.mint_b == "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert pool.slot == 7
    assert layouts.encode_whirlpool(pool, account.data) == account.data


def test_real_cpmm_accounts_decode_to_their_known_values(shared_data: Path) -> None:
    folder = shared_data / "solana/accounts"
    first = layouts.decode_amm_config(
        recorded(folder / "cpmm_ammconfig_idx0_2025.json"), program=CPMM
    )
    assert (first.index, first.trade_fee_rate) == (0, 2500)
    assert (first.protocol_fee_rate, first.fund_fee_rate) == (120000, 40000)
    account = recorded(folder / "cpmm_ammconfig_idx2_20260623.json")
    third = layouts.decode_amm_config(account, program=CPMM)
    assert (third.index, third.trade_fee_rate, third.creator_fee_rate) == (2, 20000, 500)
    assert layouts.encode_amm_config(third, account.data) == account.data
    account = recorded(folder / "cpmm_pool_FmNz8z2o_20260623.json")
    state = layouts.decode_cpmm_state(account, program=CPMM)
    assert state.mint_a == "So11111111111111111111111111111111111111112"
    assert state.token_program_a == TOKEN
    assert layouts.encode_cpmm_state(state, account.data) == account.data


def test_real_vault_accounts_decode(shared_data: Path) -> None:
    account = recorded(shared_data / "solana/accounts/ammv4_58oQ_coin_vault.json")
    vault = layouts.decode_token_account(account, program=TOKEN)
    assert vault.mint == "So11111111111111111111111111111111111111112"
    assert vault.amount_raw > 0
    assert layouts.encode_token_account(vault, account.data) == account.data


def test_every_golden_account_set_round_trips(shared_data: Path) -> None:
    seen = {"fixed": 0, "dynamic": 0, "oracle": 0, "token": 0, "pool": 0, "token_2022": 0}
    for row in golden_sets(shared_data):
        for side in ("pre", "post"):
            accounts = {k: unpacked(v) for k, v in row[side].items() if v is not None}
            address = row["pre"]["whirlpool"]["pubkey"]
            pool = layouts.decode_whirlpool(accounts["whirlpool"], program=WHIRLPOOL)
            assert layouts.encode_whirlpool(pool, accounts["whirlpool"].data) == (
                accounts["whirlpool"].data
            )
            seen["pool"] += 1
            for name, account in accounts.items():
                if name.startswith("tick_array_"):
                    seen[_check_tick_array(name, account, address, pool.tick_spacing)] += 1
                elif name == "oracle":
                    fee = layouts.decode_oracle(account, program=WHIRLPOOL, whirlpool=address)
                    encoded = layouts.encode_oracle(fee, whirlpool=address, template=account.data)
                    assert encoded == account.data
                    seen["oracle"] += 1
                elif name.startswith(("vault", "owner")) and account.owner == TOKEN:
                    token = layouts.decode_token_account(account, program=TOKEN)
                    assert layouts.encode_token_account(token, account.data) == account.data
                    seen["token"] += 1
                elif name.startswith(("vault", "owner")):
                    with pytest.raises(FeedCorrupt, match="owned by"):
                        layouts.decode_token_account(account, program=TOKEN)
                    seen["token_2022"] += 1
    assert all(seen.values()), seen


def _check_tick_array(name: str, account: RawAccount, address: str, spacing: int) -> str:
    array = layouts.decode_tick_array(
        account, program=WHIRLPOOL, whirlpool=address, tick_spacing=spacing
    )
    assert array.start_index == int(name.removeprefix("tick_array_"))
    is_fixed = account.data[:8] == layouts.FIXED_TICK_ARRAY_DISC
    encode = layouts.encode_fixed_tick_array if is_fixed else layouts.encode_dynamic_tick_array
    assert account.data == encode(
        array, whirlpool=address, tick_spacing=spacing, template=account.data
    )
    # Without the growth fields of a template, what a quote needs still survives.
    bare = RawAccount(
        account.address, account.owner, 0, encode(array, whirlpool=address, tick_spacing=spacing)
    )
    assert array == layouts.decode_tick_array(
        bare, program=WHIRLPOOL, whirlpool=address, tick_spacing=spacing
    )
    return "fixed" if is_fixed else "dynamic"


def test_golden_decodes_equal_the_vectors(shared_data: Path) -> None:
    vectors = {}
    for line in (shared_data / "solana/golden_whirlpool.jsonl").read_text().splitlines():
        row = json.loads(line)
        vectors[row["id"]] = row
    for row in golden_sets(shared_data):
        want = vectors[row["id"]]
        pre = layouts.decode_whirlpool(unpacked(row["pre"]["whirlpool"]), program=WHIRLPOOL)
        assert pre.sqrt_price == int(want["pool"]["sqrt_price"])
        assert pre.fee_growth_global_b == int(want["pool"]["fee_growth_global_b"])
        assert pre.protocol_fee_owed_a == int(want["pool"]["protocol_fee_owed_a"])
        post = layouts.decode_whirlpool(unpacked(row["post"]["whirlpool"]), program=WHIRLPOOL)
        assert post.liquidity == int(want["onchain"]["post"]["liquidity"])
        assert post.tick_current_index == want["onchain"]["post"]["tick_current_index"]
        for listed in want["tick_arrays"]:
            raw = row["pre"].get(f"tick_array_{listed['start_tick_index']}")
            if listed["kind"] == "missing":
                assert raw is None
                continue
            array = layouts.decode_tick_array(
                unpacked(raw),
                program=WHIRLPOOL,
                whirlpool=pre.address,
                tick_spacing=pre.tick_spacing,
            )
            assert [(t.index, t.liquidity_net, t.liquidity_gross) for t in array.ticks] == [
                (t["tick_index"], int(t["liquidity_net"]), int(t["liquidity_gross"]))
                for t in listed["ticks"]
            ]


def test_the_swap_event_of_each_golden_log_is_its_fill(shared_data: Path) -> None:
    vectors = {}
    for line in (shared_data / "solana/golden_whirlpool.jsonl").read_text().splitlines():
        row = json.loads(line)
        vectors[row["id"]] = row
    found = 0
    for row in golden_sets(shared_data):
        want = vectors[row["id"]]
        for event in layouts.traded_from_logs(row["logs"]):
            assert event.whirlpool == row["pre"]["whirlpool"]["pubkey"]
            assert event.a_to_b == want["swap"]["a_to_b"]
            assert event.post_sqrt_price == int(want["onchain"]["post"]["sqrt_price"])
            assert layouts.decode_traded(layouts.encode_traded(event)) == event
            assert layouts.traded_log_line(event) in row["logs"]
            found += 1
    assert found >= 20


def test_the_whole_program_state_of_one_day_decodes(shared_data: Path) -> None:
    with gzip.open(shared_data / "solana/whirlpool_state_20220406.json.gz") as file:
        state = json.load(file)
    accounts = [
        RawAccount(a["pubkey"], WHIRLPOOL, 0, base64.b64decode(a["data"]))
        for a in state["accounts"]
    ]
    pools = {
        a.address: layouts.decode_whirlpool(a, program=WHIRLPOOL)
        for a in accounts
        if len(a.data) == layouts.WHIRLPOOL_LEN
    }
    arrays = [a for a in accounts if a.data[:8] == layouts.FIXED_TICK_ARRAY_DISC]
    assert (len(pools), len(arrays)) == (9, 109)
    liquidity = dict.fromkeys(pools, 0)
    for account in arrays:
        address = layouts.key_text(account.data[9956:9988])
        pool = pools[address]
        array = layouts.decode_tick_array(
            account, program=WHIRLPOOL, whirlpool=address, tick_spacing=pool.tick_spacing
        )
        liquidity[address] += sum(
            tick.liquidity_net for tick in array.ticks if tick.index <= pool.tick_current_index
        )
    # Net liquidity up to the price must equal the open positions around it: the strongest
    # check there is. (In two of these pools the chain's own liquidity field had drifted.)
    positions = dict.fromkeys(pools, 0)
    for account in accounts:
        if len(account.data) == 216:
            address = layouts.key_text(account.data[8:40])
            low, high = struct.unpack_from("<ii", account.data, 88)
            if low <= pools[address].tick_current_index < high:
                positions[address] += int.from_bytes(account.data[72:88], "little")
    assert liquidity == positions
    agreeing = [a for a, pool in pools.items() if pool.liquidity == liquidity[a]]
    assert len(agreeing) == 7


def test_the_real_amm_v4_pool_decodes_and_quotes(shared_data: Path) -> None:
    folder = shared_data / "solana/accounts"
    account = recorded(folder / "ammv4_SOLUSDC_58oQ.json")
    state = layouts.decode_ammv4_state(account, program=AMMV4)
    assert (state.status, state.nonce) == (6, 254)
    assert (state.swap_fee_numerator, state.swap_fee_denominator) == (25, 10_000)
    assert (state.need_take_pnl_a, state.need_take_pnl_b) == (0, 0)
    assert (state.decimals_a, state.decimals_b) == (9, 6)
    assert state.mint_a == "So11111111111111111111111111111111111111112"
    assert state.mint_b == "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert layouts.encode_ammv4_state(state, account.data) == account.data
    vaults = [recorded(folder / f"ammv4_58oQ_{side}_vault.json") for side in ("coin", "pc")]
    assert [vault.address for vault in vaults] == [state.vault_a, state.vault_b]
    tokens = [layouts.decode_token_account(vault, program=TOKEN) for vault in vaults]
    assert {token.owner for token in tokens} == {ammv4_authority()}
    pool = layouts.assemble_ammv4(state, *tokens, slot=9)
    held_a, held_b = tokens[0].amount_raw, tokens[1].amount_raw
    sold = quote(pool, 10**9, exact_in=True, a_to_b=True)
    assert isinstance(sold, Swap)
    assert sold.amount_out == 997_500_000 * held_b // (held_a + 997_500_000)


@pytest.mark.parametrize(
    ("at", "value"), [(0, 0), (0, 8), (8, 256), (176, 10_000), (184, 0), (32, 19)]
)
def test_amm_v4_fields_that_cannot_be_are_refused(shared_data: Path, at: int, value: int) -> None:
    account = recorded(shared_data / "solana/accounts/ammv4_SOLUSDC_58oQ.json")
    data = bytearray(account.data)
    struct.pack_into("<Q", data, at, value)
    with pytest.raises(FeedCorrupt, match="amm v4 pool 58oQ"):
        layouts.decode_ammv4_state(
            RawAccount(account.address, AMMV4, 0, bytes(data)), program=AMMV4
        )
