"""`build_swap`: the request's three spellings, the bytes of the programs, clear refusals."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from arbsite.errors import SetupError
from feeds.market.clmm import arrays_for_swap
from feeds.venues.solana import programs
from feeds.venues.solana.inspection import build_swap, instruction_json
from feeds.venues.solana.layouts import decode_ammv4_state, decode_cpmm_state, decode_whirlpool
from feeds.venues.solana.programs import MAINNET, PoolRef
from feeds.venues.solana.tests.builders import USDC, WSOL, key
from feeds.venues.solana.tests.test_layouts_recorded import golden_sets, recorded, unpacked

USER = key("user")


def ata(mint: str) -> str:
    return programs.associated_token_address(USER, mint)


def orca(shared_data: Path) -> dict[str, Any]:
    path = shared_data / "solana/accounts/orca_whirlpool_SOLUSDC_Czfq3_20260623.json"
    row = json.loads(path.read_text())
    return {
        "pubkey": row["pubkey"],
        "owner": row["account"]["owner"],
        "data": row["account"]["data"],
    }


def request(shared_data: Path, **changes: Any) -> bytes:
    pool = orca(shared_data)
    state = decode_whirlpool(
        recorded(shared_data / "solana/accounts/orca_whirlpool_SOLUSDC_Czfq3_20260623.json"),
        program=MAINNET.whirlpool,
    )
    starts = arrays_for_swap(state, a_to_b=True)
    fields = {
        "pool_kind": "whirlpool",
        "pool": pool,
        "tick_arrays": [programs.tick_array_address(pool["pubkey"], start) for start in starts],
        "mints": {"base": WSOL, "quote": USDC},
        "user": USER,
        "side": "sell",
        "base_quantity": "1500000000",
        "threshold": 109_000_000,
    }
    return json.dumps(fields | changes).encode()


def metas(row: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    return [(m["pubkey"], m["is_signer"], m["is_writable"]) for m in row["accounts"]]


def test_swap_v2_stands_as_the_program_reads_it(shared_data: Path) -> None:
    path = shared_data / "solana/accounts/orca_whirlpool_SOLUSDC_Czfq3_20260623.json"
    pool = decode_whirlpool(recorded(path), program=MAINNET.whirlpool)
    row = instruction_json(build_swap(request(shared_data)))
    assert row["program_id"] == "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
    # discriminator, amount, threshold, no price limit, exact in, a to b, no remaining accounts.
    assert base64.b64decode(row["data"]) == (
        bytes.fromhex("2b04ed0b1ac91e62")
        + struct.pack("<QQ", 1_500_000_000, 109_000_000)
        + bytes(16)
        + b"\x01\x01\x00"
    )
    token = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
    arrays = [
        programs.tick_array_address(pool.address, start) for start in arrays_for_swap(pool, True)
    ]
    assert metas(row) == [
        (token, False, False),
        (token, False, False),
        ("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr", False, False),
        (USER, True, False),
        (pool.address, False, True),
        (WSOL, False, False),
        (USDC, False, False),
        (ata(WSOL), False, True),
        (pool.vault_a, False, True),
        (ata(USDC), False, True),
        (pool.vault_b, False, True),
        *((address, False, True) for address in arrays),
        (programs.oracle_address(pool.address), False, True),
    ]


def test_buying_the_base_fixes_the_output_and_turns_the_swap(shared_data: Path) -> None:
    row = instruction_json(build_swap(request(shared_data, side="buy")))
    assert base64.b64decode(row["data"])[-3:] == b"\x00\x00\x00"


def test_the_three_spellings_of_a_tick_array_mean_the_same(shared_data: Path) -> None:
    golden = next(row for row in golden_sets(shared_data) if row["pre"]["oracle"] is None)
    whirlpool = golden["pre"]["whirlpool"]
    pool = decode_whirlpool(unpacked(whirlpool), program=MAINNET.whirlpool)
    given = {
        int(name.removeprefix("tick_array_")): row
        for name, row in golden["pre"].items()
        if name.startswith("tick_array_") and row is not None
    }
    spellings: list[list[Any]] = [
        list(given),
        list(given.values()),
        [programs.tick_array_address(pool.address, start) for start in given],
    ]
    made = [
        build_swap(
            request(
                shared_data,
                pool=whirlpool,
                mints={"base": pool.mint_b, "quote": pool.mint_a},
                tick_arrays=spelling,
            )
        )
        for spelling in spellings
    ]
    assert made[0] == made[1] == made[2]
    # Selling the b token is a swap from b to a.
    assert bytes(made[0].data)[-3:] == b"\x01\x00\x00"


def test_the_pools_keys_will_do(shared_data: Path) -> None:
    pool = PoolRef.from_pool(
        decode_whirlpool(
            recorded(shared_data / "solana/accounts/orca_whirlpool_SOLUSDC_Czfq3_20260623.json"),
            program=MAINNET.whirlpool,
        )
    )
    keys = {
        "address": pool.address, "mint_a": pool.mint_a, "mint_b": pool.mint_b,
        "vault_a": pool.vault_a, "vault_b": pool.vault_b, "tick_spacing": pool.tick_spacing,
    }  # fmt: skip
    assert build_swap(request(shared_data, pool=keys)) == build_swap(request(shared_data))


def test_cpmm_in_both_directions(shared_data: Path) -> None:
    path = shared_data / "solana/accounts/cpmm_pool_FmNz8z2o_20260623.json"
    state = decode_cpmm_state(recorded(path), program=MAINNET.cpmm)
    row = json.loads(path.read_text())
    pool = {"pubkey": row["pubkey"], **{k: row["account"][k] for k in ("owner", "data")}}
    common: dict[str, Any] = {
        "pool_kind": "cpmm", "pool": pool, "tick_arrays": [],
        "mints": {"base": state.mint_b, "quote": state.mint_a},
    }  # fmt: skip
    sell = instruction_json(build_swap(request(shared_data, **common)))
    buy = instruction_json(build_swap(request(shared_data, **common, side="buy")))
    args = struct.pack("<QQ", 1_500_000_000, 109_000_000)
    assert base64.b64decode(sell["data"]) == bytes.fromhex("8fbe5adac41e33de") + args
    # swap_base_output names the most in first, then the amount out.
    assert base64.b64decode(buy["data"]) == (
        bytes.fromhex("37d96256a34ab4ad") + args[8:] + args[:8]
    )
    assert [m[0] for m in metas(sell)[4:8]] == [
        ata(state.mint_b), ata(state.mint_a), state.vault_b, state.vault_a,
    ]  # fmt: skip
    assert [m[0] for m in metas(buy)[4:8]] == [
        ata(state.mint_a), ata(state.mint_b), state.vault_a, state.vault_b,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"side": "cancel"}, "side"),
        ({"base_quantity": -1}, "cannot be built"),
        ({"threshold": 2**64}, "cannot be built"),
        ({"mints": {"base": USDC, "quote": USDC}}, "mints of this pool"),
        ({"tick_arrays": []}, "one to three tick arrays"),
        ({"tick_arrays": [key("elsewhere")]}, "not a tick array of pool"),
        ({"pool": {"pubkey": key("pool"), "owner": USER, "data": "AAAA"}}, "owned by"),
        ({"pool": {"pubkey": key("pool"), "owner": USER, "data": "*"}}, "not base64"),
        ({"pool": {"address": key("pool")}}, "pool"),
        ({"user": "nobody"}, "cannot be built"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_wrong_is_said(shared_data: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SetupError, match=words):
        build_swap(request(shared_data, **changes))


def test_the_command_prints_json(shared_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "swap.json"
    file.write_bytes(request(shared_data))
    out = io.StringIO()
    call_command("build_swap", str(file), stdout=out)
    assert json.loads(out.getvalue()) == instruction_json(build_swap(request(shared_data)))
    file.write_text("{")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("build_swap", str(file))


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_amm_v4_swaps_from_its_bytes_and_from_its_keys_are_the_same(
    shared_data: Path, side: str
) -> None:
    path = shared_data / "solana/accounts/ammv4_SOLUSDC_58oQ.json"
    row = json.loads(path.read_text())
    state = decode_ammv4_state(recorded(path), program=MAINNET.ammv4)
    keys = {
        "address": state.address, "mint_a": state.mint_a, "mint_b": state.mint_b,
        "vault_a": state.vault_a, "vault_b": state.vault_b,
    }  # fmt: skip
    whole = {
        "pubkey": row["pubkey"],
        "owner": row["account"]["owner"],
        "data": row["account"]["data"],
    }
    fields = {
        "pool_kind": "ammv4",
        "mints": {"base": WSOL, "quote": USDC},
        "user": USER,
        "side": side,
        "base_quantity": 1_500_000_000,
        "threshold": 109_000_000,
    }
    shown = [
        instruction_json(build_swap(json.dumps(fields | {"pool": pool}).encode()))
        for pool in (whole, keys)
    ]
    assert shown[0] == shown[1]
    terms = (16, 1_500_000_000, 109_000_000) if side == "sell" else (17, 109_000_000, 1_500_000_000)
    assert base64.b64decode(shown[0]["data"]) == struct.pack("<BQQ", *terms)
    own = (ata(WSOL), ata(USDC)) if side == "sell" else (ata(USDC), ata(WSOL))
    assert metas(shown[0]) == [
        ("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", False, False),
        (state.address, False, True),
        ("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1", False, False),
        (state.vault_a, False, True),
        (state.vault_b, False, True),
        (own[0], False, True),
        (own[1], False, True),
        (USER, True, False),
    ]
