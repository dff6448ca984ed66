"""The embedded servers: exact decimals survive, secrets stay private, bad folders explain."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import redis

from arbsite import embedded, ports
from arbsite.embedded import POSTGRES_MAJOR, Postgres, prepare_home, prepare_valkey
from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.readiness import ensure_database
from arbsite.testing import SET_UP_S

pytestmark = pytest.mark.timeout(60)
embedded_only = pytest.mark.skipif(
    os.environ["SPREADLINE_TEST_SERVERS"] != "DATABASE_URL,REDIS_URL",
    reason="DATABASE_URL or REDIS_URL name servers that are not ours",
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "a home with spaces")
    prepare_home(made)
    yield made
    shutil.rmtree(Postgres(made).root, ignore_errors=True)


def test_database_keeps_eighteen_decimals_and_u128(database_server: str) -> None:
    maintenance = database_server.rpartition("/")[0] + "/postgres"
    with psycopg.connect(maintenance) as connection:
        row = connection.execute(
            "select %s::numeric(38,18), %s::numeric(39,0)",
            [Decimal("1.123456789012345678"), 2**128 - 1],
        ).fetchone()
    assert row == (Decimal("1.123456789012345678"), Decimal(2**128 - 1))


def test_whoever_comes_first_has_time_for_the_database(request: pytest.FixtureRequest) -> None:
    first = next(
        item
        for item in request.session.items
        if item.get_closest_marker("django_db") or "database_server" in item.fixturenames
    )
    limit = first.get_closest_marker("timeout")
    assert limit is not None
    assert limit.args[0] >= SET_UP_S


@embedded_only
def test_database_refuses_a_wrong_password(database_server: str) -> None:
    _, _, address = database_server.rpartition("@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://spreadline:wrong@{address}")


@embedded_only
def test_database_listens_on_loopback_only(database_server: str) -> None:
    maintenance = database_server.rpartition("/")[0] + "/postgres"
    with psycopg.connect(maintenance) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)


def test_ensure_database_creates_once(database_server: str) -> None:
    url = database_server.rpartition("/")[0] + "/made_by_test"
    assert ensure_database(url) is True
    assert ensure_database(url) is False


@embedded_only
def test_valkey_wants_its_password_and_keeps_an_append_only_file(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_secrets_are_private_and_stable(home: Home) -> None:
    first = home.secret("postgres_password")
    assert home.secret("postgres_password") == first
    assert len(first) > 60
    mode = stat.S_IMODE((home.path / "postgres_password").stat().st_mode)
    assert mode == 0o600


def test_valkey_configuration_is_private(home: Home) -> None:
    service = prepare_valkey(home)
    assert stat.S_IMODE(Path(service.command[1]).stat().st_mode) == 0o600
    assert home.secret("valkey_password") not in " ".join(service.command)


def test_data_folder_of_another_version_is_refused_with_the_remedy(home: Home) -> None:
    cluster = Postgres(home)
    cluster.prepare()
    (cluster.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(SetupError, match=rf"PostgreSQL 16 .* brings {POSTGRES_MAJOR}; dump it"):
        cluster.prepare()


def test_interrupted_initdb_leaves_nothing_that_looks_like_a_cluster(home: Home) -> None:
    cluster = Postgres(home)
    partial = cluster.root / f"postgres-{POSTGRES_MAJOR}.partial"
    cluster._claim_root()
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    cluster.prepare()
    assert (cluster.data / "global" / "pg_control").exists()
    assert not partial.exists()


def test_a_user_id_without_an_account_is_told_what_helps(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    cluster = Postgres(home)
    remedies = r"`useradd --uid 4000000000 .* account there is, or set DATABASE_URL"
    with pytest.raises(SetupError, match=rf"user id 4000000000 has no account .* {remedies}"):
        cluster.prepare()
    assert not list(home.path.glob("postgres*.partial"))


def test_nearly_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MINIMUM_FREE_BYTES", 10**18)
    with pytest.raises(SetupError, match=r"MB of disk left .* free some space"):
        prepare_home(Home(tmp_path / "home"))


def test_unwritable_home_is_one_sentence() -> None:
    with pytest.raises(SetupError, match="set SPREADLINE_HOME"):
        prepare_home(Home(Path("/proc/spreadline")))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives PostgreSQL to another account")
def test_home_below_a_private_folder_puts_the_cluster_where_it_can_be_read(tmp_path: Path) -> None:
    hidden = tmp_path / "private"
    hidden.mkdir(mode=0o700)
    home = Home(hidden / "home")
    prepare_home(home)
    cluster = Postgres(home)
    assert cluster.root.parent == embedded.SHARED_TEMP
    cluster.root.mkdir()
    try:
        os.chown(cluster.root, 12345, 12345)
        with pytest.raises(SetupError, match="belongs to someone else"):
            cluster.prepare()
        assert stat.S_IMODE(hidden.stat().st_mode) == 0o700
    finally:
        cluster.root.rmdir()


def a_quiet_stretch_of_ports(length: int) -> int:
    """The first of `length` free ports below those the kernel hands out to clients."""
    for first in range(12_000, 30_000, length):
        if all(ports.is_free(port) for port in range(first, first + length)):
            return first
    raise AssertionError("no free stretch of ports")


def test_taken_port_moves_and_is_remembered(home: Home) -> None:
    with socket.socket() as other:
        taken = a_quiet_stretch_of_ports(8)
        other.bind(("127.0.0.1", taken))
        other.listen()
        home.ports_file.write_text(f'{{"valkey": {taken}}}')
        moved = ports.settle_ports(home, ("valkey",))
        assert moved == [f"port {taken} is taken, valkey moves to {home.ports()['valkey']}"]
        assert home.ports()["valkey"] != taken
        with pytest.raises(SetupError, match=f"port {taken} is taken .* --web-port"):
            ports.settle_ports(home, ("web",), web_port=taken)
        home.ports_file.write_text(json.dumps({"web": taken, "kraken": taken + 1}))
        ports.settle_ports(home, ("web", "kraken"))
        assert home.ports()["kraken"] == taken + 1
        assert home.ports()["web"] > taken + 1
    ports.settle_ports(home, ("web", "kraken"), web_port=home.ports()["kraken"])
    assert home.ports()["web"] == taken + 1
    assert home.ports()["kraken"] > taken + 1
    # Another program may have the default: only what was settled once stays.
    ports.settle_ports(home, ("valkey",))
    again = home.ports()["valkey"]
    ports.settle_ports(home, ("valkey",))
    assert home.ports()["valkey"] == again


def test_broken_ports_file_names_itself(home: Home) -> None:
    home.ports_file.write_text("{")
    with pytest.raises(SetupError, match=r"ports\.json cannot be read"):
        home.ports()
