"""A Kraken key replaced under a running engine, as the engine takes it into use."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from solders.keypair import Keypair

from arbsite.errors import SetupError
from arbsite.models import AuditLog
from feeds.secret_files import SecretFile
from feeds.venues.kraken.auth import Credentials
from trading.process.rotation import KeyRotation
from trading.storage.lease import Lease

OLD, NEW = (("old-key", "b2xkLXNlY3JldA=="), ("new-key", b64encode(b"new-secret").decode()))


class Rig:
    """Key files, the lease of one shard, and what the venue client and people were told."""

    def __init__(self, folder: Path, lease: Lease) -> None:
        self.path, self.wallet_path = folder / "kraken.json", folder / "wallet.json"
        self.used: list[str] = []
        self.alarms: list[tuple[str, str]] = []
        self.write(OLD)
        self.keypair = Keypair()
        self.write_wallet(self.keypair)
        venues = SimpleNamespace(
            key_file=SecretFile(self.path, self._key),
            wallet_file=SecretFile(self.wallet_path, self._wallet),
            wallet=self.keypair.pubkey(),
            kraken=SimpleNamespace(use_credentials=lambda key: self.used.append(key.key)),
        )
        self.rotation = KeyRotation(venues, lease, raise_alarm=self._alarm)  # type: ignore[arg-type]

    def write(self, pair: tuple[str, str], mode: int = 0o600) -> None:
        self._replace(self.path, json.dumps({"key": pair[0], "secret": pair[1]}), mode)

    def write_wallet(self, keypair: Keypair) -> None:
        self._replace(self.wallet_path, json.dumps(list(bytes(keypair))), 0o600)

    def _replace(self, path: Path, text: str, mode: int) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(mode)
        fresh.replace(path)

    def _key(self) -> Credentials:
        try:
            found = json.loads(self.path.read_text())
        except ValueError as error:
            raise SetupError("the key file is not JSON") from error
        return Credentials(found["key"], found["secret"])

    def _wallet(self) -> Keypair:
        return Keypair.from_bytes(bytes(json.loads(self.wallet_path.read_text())))

    async def _alarm(self, scope: str, rule: str, text: str, value: str, limit: str) -> None:
        assert (scope, value, limit) == ("*", "", "")
        self.alarms.append((rule, text))


@pytest.fixture
async def rig(desk_url: str, tmp_path: Path) -> AsyncIterator[Rig]:
    lease = Lease(desk_url, shard="main", holder="rotation")
    await lease.acquire()
    yield Rig(tmp_path, lease)
    await lease.release()
    await sync_to_async(connections.close_all)()


async def rows() -> list[AuditLog]:
    return [row async for row in AuditLog.objects.filter(action="secret.rotated")]


async def test_a_new_key_is_used_and_audited_without_its_secret(rig: Rig) -> None:
    await rig.rotation.look()
    assert (rig.used, rig.alarms, await rows()) == ([], [], [])
    rig.write(NEW)
    await rig.rotation.look()
    await rig.rotation.look()
    assert (rig.used, rig.alarms) == (["new-key"], [])
    (row,) = await rows()
    assert row.before == {"fingerprint": Credentials(*OLD).fingerprint}
    assert row.after == {"fingerprint": Credentials(*NEW).fingerprint}
    told = json.dumps([row.before, row.after, row.reason, row.target])
    assert "new-key" not in told
    assert NEW[1] not in told


async def test_a_file_that_cannot_be_used_keeps_the_old_key_and_raises_an_alarm(rig: Rig) -> None:
    rig.path.with_suffix(".new").write_text('{"key": "new')
    rig.path.with_suffix(".new").replace(rig.path)
    await rig.rotation.look()
    rig.write(NEW, mode=0o644)
    await rig.rotation.look()
    await rig.rotation.look()
    assert [rule for rule, _ in rig.alarms] == ["secret_refused", "secret_refused"]
    assert "not JSON" in rig.alarms[0][1]
    assert "chmod 600" in rig.alarms[1][1]
    assert (rig.used, await rows()) == ([], [])


async def test_a_key_of_another_shard_is_not_shared(rig: Rig, desk_url: str) -> None:
    other = Lease(desk_url, shard="east", holder="other", key_name=Credentials(*NEW).fingerprint)
    await other.acquire()
    rig.write(NEW)
    await rig.rotation.look()
    assert rig.used == []
    assert "serves another shard" in rig.alarms[0][1]
    await other.release()


async def test_another_wallet_asks_for_a_restart(rig: Rig) -> None:
    rig.write_wallet(rig.keypair)
    await rig.rotation.look()
    assert rig.alarms == []
    rig.write_wallet(Keypair())
    await rig.rotation.look()
    assert "restart the engine" in rig.alarms[0][1]


async def test_a_signal_has_it_looked_at_once(rig: Rig) -> None:
    rig.write(NEW)
    rig.rotation.asked.set()
    following = asyncio.create_task(rig.rotation.follow())
    while not rig.used:
        await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
