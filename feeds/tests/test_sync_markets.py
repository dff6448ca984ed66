"""`sync_markets`: the simulated world over sockets, mainnet's own bytes, and every refusal."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from arbsite.clock import SystemClock, seeded_random
from arbsite.errors import SetupError
from arbsite.models import AuditLog
from feeds.listing import file, rows
from feeds.listing.file import Listing
from feeds.listing.verify import Refused, Verified, verify
from feeds.models import Market
from feeds.still_venues import ENDPOINTS, SimVenues
from feeds.tests.conformance.venues import run_patient
from feeds.venues.kraken.instruments import read_instruments
from feeds.venues.kraken.messages import Pair
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.layouts import (
    RawAccount,
    TokenAccount,
    decode_whirlpool,
    encode_token_account,
)
from feeds.venues.solana.mints import TOKEN_2022
from feeds.venues.solana.programs import MAINNET
from feeds.venues.solana.rpc import SolanaRpc
from feeds.venues.solana.tests.builders import USDC, WSOL, key
from feeds.venues.solana.tests.node import ScriptedNode
from feeds.venues.solana.tests.test_layouts_recorded import recorded

MAINNET_FILE = settings.BASE_DIR / "deploy" / "markets" / "mainnet.toml"
SOL_PAIR = Pair("SOL/USD", "online", 2, 8, "0.01", "0.00000001", "0.02", "0.5")
PAIRS = {"SOL/USD": SOL_PAIR}
POOL = "Czfq3xZZDmsdGdUyrNLtRhGc47cXcZtLG4crryfu44zE"


def mint(address: str, decimals: int, owner: str = MAINNET.token, tail: bytes = b"") -> RawAccount:
    body = bytes(44) + bytes([decimals, 1]) + bytes(36)
    return RawAccount(address, owner, 1, body + tail)


def extended(kind: int) -> bytes:
    """A Token-2022 mint's tail: padding, account type, one extension."""
    return bytes(165 - 82) + b"\x01" + kind.to_bytes(2, "little") + b"\x02\x00" + bytes(2)


def sol_listing() -> Listing:
    (listing,) = [one for one in file.read(MAINNET_FILE) if one.asset == "SOL"]
    return listing


def mainnet_accounts(shared_data: Path) -> list[RawAccount]:
    """The recorded SOL/USDC pool, with the vaults and mints it names."""
    path = shared_data / "solana/accounts/orca_whirlpool_SOLUSDC_Czfq3_20260623.json"
    pool = recorded(path)
    state = decode_whirlpool(pool, program=MAINNET.whirlpool)
    vaults = [
        RawAccount(
            address, MAINNET.token, 1, encode_token_account(TokenAccount(of, pool.address, 7))
        )
        for address, of in ((state.vault_a, state.mint_a), (state.vault_b, state.mint_b))
    ]
    return [pool, *vaults, mint(WSOL, 9), mint(USDC, 6)]


def judge(
    nodes: list[ScriptedNode], listing: Listing, pairs: dict[str, Pair] = PAIRS
) -> Verified | Refused:
    async def ask() -> Verified | Refused:
        transport = SocketTransport()
        served = [node.serve() for node in nodes]
        for one in served:
            await one.__aenter__()
        try:
            rpc = SolanaRpc(
                transport, tuple(node.endpoint for node in nodes),
                clock=SystemClock(), rng=seeded_random("sync"),
            )  # fmt: skip
            return await verify(listing, pairs, rpc, MAINNET)
        finally:
            await transport.close()
            for one in served:
                await one.__aexit__(None, None, None)

    return asyncio.run(ask())


def bank(accounts: list[RawAccount], label: str = "one") -> ScriptedNode:
    node = ScriptedNode(label)
    node.put(accounts)
    return node


def test_mainnets_own_bytes_verify(shared_data: Path) -> None:
    accounts = mainnet_accounts(shared_data)
    verdict = judge([bank(accounts, "one"), bank(accounts, "two")], sol_listing())
    assert isinstance(verdict, Verified)
    assert (verdict.base_is_a, verdict.base_decimals, verdict.quote_decimals) == (True, 9, 6)
    assert verdict.ref.tick_spacing == 4
    assert verdict.witnesses == ("one", "two")
    assert (verdict.price_increment_ticks, verdict.qty_min_lots) == (1, 2_000_000)


def without(accounts: list[RawAccount], address: str) -> list[RawAccount]:
    return [account for account in accounts if account.address != address]


def replaced(accounts: list[RawAccount], address: str, **changes: Any) -> list[RawAccount]:
    return [
        msgspec.structs.replace(account, **changes) if account.address == address else account
        for account in accounts
    ]


def bad_banks(accounts: list[RawAccount]) -> Iterator[tuple[str, list[RawAccount]]]:
    yield "does not exist", without(accounts, POOL)
    yield "owned by", replaced(accounts, POOL, owner=MAINNET.cpmm)
    yield "length", replaced(accounts, POOL, data=accounts[0].data[:-1])
    yield "discriminator", replaced(accounts, POOL, data=bytes(8) + accounts[0].data[8:])
    yield (
        "no liquidity",
        replaced(accounts, POOL, data=accounts[0].data[:49] + bytes(16) + accounts[0].data[65:]),
    )
    yield f"mint {USDC} does not exist", without(accounts, USDC)
    yield "owned by", replaced(accounts, USDC, owner=key("a program"))
    yield "not initialised", replaced(accounts, USDC, data=bytes(82))
    for kind, word in ((1, "transfer-fee"), (14, "transfer-hook"), (3, "Token-2022")):
        fee = mint(USDC, 6, TOKEN_2022, extended(kind))
        yield f"{word} mint", replaced(accounts, USDC, owner=fee.owner, data=fee.data)
    vault = accounts[1]
    yield "holds mint", replaced(accounts, vault.address, data=accounts[2].data)
    yield "is gone", without(accounts, vault.address)


def test_a_wrong_account_is_refused_by_name(shared_data: Path) -> None:
    accounts = mainnet_accounts(shared_data)
    for words, changed in bad_banks(accounts):
        verdict = judge([bank(changed)], sol_listing())
        assert isinstance(verdict, Refused), words
        assert words in verdict.reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cex_symbol": "SOL/EUR"}, "no USD feed"),
        ({"cex_symbol": "SOLUSD"}, "not a pair"),
        ({"cex_symbol": "WIF/USD"}, "lists no pair"),
        ({"pool_quote": "EURC"}, "no USD feed"),
        ({"quote_mint": WSOL}, "pool's mints are"),
        ({"pool": "nonsense"}, "address"),
        ({"pool_kind": "cpmm"}, "owned by"),
    ],
)
def test_a_wrong_claim_is_refused_by_name(
    shared_data: Path, changes: dict[str, Any], words: str
) -> None:
    listing = msgspec.structs.replace(sol_listing(), **changes)
    verdict = judge([bank(mainnet_accounts(shared_data))], listing)
    assert isinstance(verdict, Refused)
    assert words in verdict.reason


def test_a_pair_that_is_not_online_is_refused(shared_data: Path) -> None:
    pairs = {"SOL/USD": msgspec.structs.replace(SOL_PAIR, status="cancel_only")}
    verdict = judge([bank(mainnet_accounts(shared_data))], sol_listing(), pairs)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "Kraken says SOL/USD is cancel_only"


def test_endpoints_that_disagree_are_not_believed(shared_data: Path) -> None:
    accounts = mainnet_accounts(shared_data)
    other = replaced(accounts, USDC, data=mint(USDC, 9).data)
    verdict = judge([bank(accounts, "one"), bank(other, "two")], sol_listing())
    assert isinstance(verdict, Refused)
    assert "disagree" in verdict.reason


def test_the_simulated_world_verifies_as_it_is_seeded() -> None:
    async def ask() -> list[Verified | Refused]:
        venues = SimVenues()
        venues.start()
        transport = venues.transport()
        try:
            # Until the chain has a confirmed block.
            await asyncio.sleep(5)
            pairs = await read_instruments(transport, "ws://kraken.sim/v2")
            rpc = SolanaRpc(transport, ENDPOINTS, clock=venues.clock, rng=venues.stream("sync"))
            return [
                await verify(listing, pairs, rpc, MAINNET)
                for listing in file.of_the_simulator()
                if listing.cex_symbol in pairs
            ]
        finally:
            await venues.stop()

    verdicts = run_patient(ask())
    assert [type(verdict) for verdict in verdicts] == [Verified]


@pytest.fixture
def verified(shared_data: Path) -> Verified:
    verdict = judge([bank(mainnet_accounts(shared_data))], sol_listing())
    assert isinstance(verdict, Verified)
    return verdict


@pytest.mark.django_db
def test_rows_follow_the_verdicts(verified: Verified) -> None:
    assert rows.compare(verified).change == "new"
    assert not Market.objects.exists()
    assert rows.store(verified, actor="test").change == "new"
    row = Market.objects.get(asset="SOL")
    assert (row.is_enabled, row.is_verified, row.refusal) == (True, True, "")
    assert row.spec.qty_min_lots == 2_000_000
    assert rows.store(verified, actor="test").change == "same"
    pair = msgspec.structs.replace(verified.pair, price_precision=3, price_increment="0.001")
    moved = msgspec.structs.replace(verified, pair=pair)
    outcome = rows.store(moved, actor="test")
    assert (outcome.change, outcome.note) == ("changed", "price_precision 2 -> 3")
    refused = Refused(verified.listing, "the pool is gone")
    assert rows.store(refused, actor="test").change == "refused"
    row.refresh_from_db()
    assert (row.is_verified, row.refusal) == (False, "the pool is gone")
    assert row.pool == POOL
    # A person's switch outlives a check that passes again.
    Market.objects.filter(asset="SOL").update(is_enabled=False)
    rows.store(moved, actor="test")
    row.refresh_from_db()
    assert (row.is_enabled, row.is_verified) == (False, True)
    actions = AuditLog.objects.filter(target="SOL").values_list("action", flat=True)
    assert list(actions) == ["market.synced"] * 4


@pytest.mark.django_db
def test_what_was_never_verified_is_stored_disabled(verified: Verified) -> None:
    rows.store(Refused(verified.listing, "owned by nobody"), actor="test")
    row = Market.objects.get(asset="SOL")
    assert (row.is_enabled, row.is_verified, row.refusal) == (False, False, "owned by nobody")


def test_the_market_files_read_and_name_three_assets() -> None:
    assets = [listing.asset for listing in file.read(MAINNET_FILE)]
    assert len(assets) >= 3
    assert assets[0] == "SOL"
    assert file.read(MAINNET_FILE.with_name("devnet.toml")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("market = 3", "market"),
        ("[[market]]\nasset = 'A'", "missing required field"),
        ("market = [\n}", "line 2"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "markets.toml"
    path.write_text(text)
    with pytest.raises(SetupError, match=words):
        file.read(path)


def test_an_asset_stands_in_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "markets.toml"
    path.write_text(MAINNET_FILE.read_text() * 2)
    with pytest.raises(SetupError, match="asset MSOL, ORCA, SOL stands there twice"):
        file.read(path)


@pytest.mark.django_db
def test_the_command_says_when_no_venue_answers() -> None:
    with pytest.raises(CommandError, match="no list of pairs from Kraken"):
        call_command("sync_markets", "--check", stdout=io.StringIO(), stderr=io.StringIO())
