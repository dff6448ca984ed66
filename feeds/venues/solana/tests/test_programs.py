"""Instruction bytes and derived addresses against recorded accounts and known values."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from feeds.venues.solana import layouts, programs
from feeds.venues.solana.programs import PoolRef
from feeds.venues.solana.tests import builders
from feeds.venues.solana.tests.builders import IDS, USDC, WSOL, key
from feeds.venues.solana.tests.test_layouts_recorded import golden_sets, recorded

OWNER = key("owner")


def ata(mint: str) -> str:
    return programs.associated_token_address(OWNER, mint)


def test_discriminators_are_the_deployed_ones() -> None:
    assert programs.SWAP_V2_DISC.hex() == "2b04ed0b1ac91e62"
    assert programs.SWAP_BASE_INPUT_DISC.hex() == "8fbe5adac41e33de"
    assert programs.SWAP_BASE_OUTPUT_DISC.hex() == "37d96256a34ab4ad"


def test_derived_addresses_equal_the_golden_accounts(shared_data: Path) -> None:
    checked = 0
    for row in golden_sets(shared_data):
        pool = row["pre"]["whirlpool"]["pubkey"]
        for name, raw in row["pre"].items():
            if raw is None:
                continue
            if name.startswith("tick_array_"):
                start = int(name.removeprefix("tick_array_"))
                assert programs.tick_array_address(pool, start) == raw["pubkey"]
                checked += 1
            elif name == "oracle":
                assert programs.oracle_address(pool) == raw["pubkey"]
                checked += 1
    assert checked > 40


def test_derived_addresses_equal_real_pools(shared_data: Path) -> None:
    folder = shared_data / "solana/accounts"
    orca = recorded(folder / "orca_whirlpool_SOLUSDC_Czfq3_20260623.json")
    config = layouts.key_text(orca.data[8:40])
    assert config == "2LecshUwdy9xi7meFgHtFJQNSKk4KdTrcpvaB56dP2NQ"
    assert programs.whirlpool_address(config, WSOL, USDC, 4) == orca.address
    raydium = recorded(folder / "cpmm_pool_FmNz8z2o_20260623.json")
    state = layouts.decode_cpmm_state(raydium, program=IDS.cpmm)
    assert programs.observation_address(raydium.address) == state.observation
    assert state.amm_config == recorded(folder / "cpmm_ammconfig_idx2_20260623.json").address


def test_associated_account_equals_the_library() -> None:
    want = get_associated_token_address(Pubkey.from_string(OWNER), Pubkey.from_string(USDC))
    assert ata(USDC) == str(want)


def test_swap_v2_bytes_and_account_order() -> None:
    ref = PoolRef.from_pool(builders.whirlpool())
    starts = (-26400, -26752, -27104)
    made = programs.swap_v2(
        ref, OWNER,
        amount_raw=1_000, threshold_raw=77, exact_in=True, a_to_b=False,
        tick_array_starts=starts,
    )  # fmt: skip
    assert str(made.program_id) == IDS.whirlpool
    assert made.data == (
        bytes.fromhex("2b04ed0b1ac91e62")
        + (1_000).to_bytes(8, "little")
        + (77).to_bytes(8, "little")
        + bytes(16)
        + b"\x01\x00\x00"
    )
    assert len(made.data) == 43
    arrays = [programs.tick_array_address(ref.address, start) for start in starts]
    oracle = programs.oracle_address(ref.address)
    assert [(str(m.pubkey), m.is_signer, m.is_writable) for m in made.accounts] == [
        (IDS.token, False, False),
        (IDS.token, False, False),
        (IDS.memo, False, False),
        (OWNER, True, False),
        (ref.address, False, True),
        (WSOL, False, False),
        (USDC, False, False),
        (ata(WSOL), False, True),
        (ref.vault_a, False, True),
        (ata(USDC), False, True),
        (ref.vault_b, False, True),
        *((address, False, True) for address in arrays),
        (oracle, False, True),
    ]


def test_swap_v2_supplemental_arrays_and_limit() -> None:
    ref = PoolRef.from_pool(builders.whirlpool())
    made = programs.swap_v2(
        ref, OWNER,
        amount_raw=5, threshold_raw=6, exact_in=False, a_to_b=True,
        tick_array_starts=(0,), supplemental_starts=(352, 704), sqrt_price_limit=(3 << 64) + 9,
    )  # fmt: skip
    assert made.data[24:40] == ((3 << 64) + 9).to_bytes(16, "little")
    assert made.data[40:] == b"\x00\x01" + b"\x01\x01\x00\x00\x00\x06\x02"
    repeated = programs.tick_array_address(ref.address, 0)
    assert [str(m.pubkey) for m in made.accounts[11:14]] == [repeated] * 3
    assert [str(m.pubkey) for m in made.accounts[15:]] == [
        programs.tick_array_address(ref.address, start) for start in (352, 704)
    ]
    for starts, extra in (((), ()), ((1, 2, 3, 4), ()), ((1,), (1, 2, 3, 4))):
        with pytest.raises(ValueError, match="tick array"):
            programs.swap_v2(
                ref, OWNER,
                amount_raw=5, threshold_raw=6, exact_in=False, a_to_b=True,
                tick_array_starts=starts, supplemental_starts=extra,
            )  # fmt: skip


@pytest.mark.parametrize("a_to_b", [True, False])
def test_cpmm_swap_bytes_and_account_order(a_to_b: bool) -> None:
    ref = PoolRef.from_pool(builders.cpmm_pool())
    made = programs.cpmm_swap(
        ref, OWNER, amount_raw=1_000, threshold_raw=77, exact_in=True, a_to_b=a_to_b
    )
    assert str(made.program_id) == IDS.cpmm
    pair = (1_000).to_bytes(8, "little") + (77).to_bytes(8, "little")
    assert made.data == bytes.fromhex("8fbe5adac41e33de") + pair
    exact_out = programs.cpmm_swap(
        ref, OWNER, amount_raw=77, threshold_raw=1_000, exact_in=False, a_to_b=a_to_b
    )
    assert exact_out.data == bytes.fromhex("37d96256a34ab4ad") + pair
    assert exact_out.accounts == made.accounts
    mint_in, mint_out = (WSOL, USDC) if a_to_b else (USDC, WSOL)
    vaults = {WSOL: ref.vault_a, USDC: ref.vault_b}
    assert [(str(m.pubkey), m.is_signer, m.is_writable) for m in made.accounts] == [
        (OWNER, True, False),
        ("GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL", False, False),
        (ref.amm_config, False, False),
        (ref.address, False, True),
        (ata(mint_in), False, True),
        (ata(mint_out), False, True),
        (vaults[mint_in], False, True),
        (vaults[mint_out], False, True),
        (IDS.token, False, False),
        (IDS.token, False, False),
        (mint_in, False, False),
        (mint_out, False, False),
        (ref.observation, False, True),
    ]
