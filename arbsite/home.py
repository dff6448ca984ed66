"""The private data folder of one installation: ports, generated secrets, where things lie.

Read by `settings` in every process; written by `embedded` and the `up` supervisor. Not
here: starting anything. Nothing outside this folder belongs to an installation, except
the server folder of `embedded.server_root` when the home cannot be reached by PostgreSQL.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from urllib.parse import quote

from arbsite.errors import SetupError

REPOSITORY = Path(__file__).resolve().parent.parent

# First choice of each port; `embedded.settle_ports` moves one that is taken.
DEFAULT_PORTS: dict[str, int] = {
    "web": 8000,
    "postgres": 15432,
    "valkey": 16379,
    "kraken": 18080,
    "solana_a": 18899,
    "solana_b": 18900,
    "jupiter": 18910,
    "metrics_engine": 19101,
    "metrics_relay": 19102,
    "metrics_worker": 19103,
    "metrics_kraken": 19104,
    "metrics_solana": 19105,
}

DATABASE_USER = "spreadline"
DATABASE_NAME = "spreadline"


class Home:
    """Paths, ports and generated secrets below one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        """Where each process's log file lies."""
        return self.path / "logs"

    @property
    def static(self) -> Path:
        """Where `collectstatic` gathers files; WhiteNoise wants it to exist."""
        return self.path / "static"

    @property
    def kill_file(self) -> Path:
        """While this file is there, engines of this home are halted (`kill --local`)."""
        return self.path / "KILLED"

    @property
    def engine_pid_files(self) -> list[Path]:
        """The process ids of this home's engines, one file per shard."""
        return sorted((self.path / "run").glob("engine-*.pid"))

    def engine_pid_file(self, shard: str) -> Path:
        """Where the engine of a shard writes its process id."""
        return self.path / "run" / f"engine-{shard}.pid"

    def database_mark_file(self, shard: str) -> Path:
        """What the engine of a shard remembers of its database, to know a restored one."""
        return self.path / f"database-{shard}.json"

    @property
    def ports_file(self) -> Path:
        return self.path / "ports.json"

    def ports(self) -> dict[str, int]:
        """The ports of this installation: the recorded ones over the defaults."""
        try:
            recorded = json.loads(self.ports_file.read_text())
        except FileNotFoundError:
            return dict(DEFAULT_PORTS)
        except (OSError, ValueError) as error:
            raise SetupError(f"{self.ports_file} cannot be read ({error}); delete it.") from error
        if not isinstance(recorded, dict):
            raise SetupError(f"{self.ports_file} is not a JSON object; delete it.")
        known = {name: int(port) for name, port in recorded.items() if name in DEFAULT_PORTS}
        return DEFAULT_PORTS | known

    def secret(self, name: str) -> str:
        """Read a generated secret, making it (0600, 50 random bytes as text) when absent.

        Raises SetupError when the folder cannot be written.
        """
        path = self.path / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SetupError(
                f"{path} cannot be read ({error.strerror}); run as its owner, "
                "or set SPREADLINE_HOME to a folder of your own."
            ) from error
        return self._create_secret(path)

    def _create_secret(self, path: Path) -> str:
        value = secrets.token_urlsafe(50)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        except OSError as error:
            raise SetupError(
                f"{self.path} cannot be written ({error.strerror}); "
                "set SPREADLINE_HOME to a folder of your own."
            ) from error
        with os.fdopen(descriptor, "w") as file:
            file.write(value)
        return value

    def database_url(self, database: str = DATABASE_NAME) -> str:
        """URL of the embedded PostgreSQL of this home."""
        password = quote(self.secret("postgres_password"), safe="")
        port = self.ports()["postgres"]
        return f"postgresql://{DATABASE_USER}:{password}@127.0.0.1:{port}/{database}"

    def redis_url(self) -> str:
        """URL of the embedded Valkey of this home."""
        password = quote(self.secret("valkey_password"), safe="")
        return f"redis://:{password}@127.0.0.1:{self.ports()['valkey']}/0"


def current_home() -> Home:
    """The home named by SPREADLINE_HOME, else `.spreadline` beside manage.py."""
    named = os.environ.get("SPREADLINE_HOME", "")
    return Home(Path(named).resolve() if named else REPOSITORY / ".spreadline")
