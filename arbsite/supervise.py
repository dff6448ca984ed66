"""The supervisor: writes supervisord's configuration, runs it and speaks to it.

Called by the `up` command only. supervisord restarts what dies and stops everything in
order; every child is tied to it and it is tied to `up` (parent-death signal), so that not
even SIGKILL on the supervisor leaves a process behind. Not here: the list of processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from arbsite.errors import SetupError
from arbsite.home import Home
from arbsite.processes import STAGES, Program, Stage

_LOG_BYTES = "10MB"
_LOG_BACKUPS = 5
# A program that lives this long has started; one that dies earlier is retried with a
# delay that grows by a second each time.
_START_SECONDS = 3
_START_RETRIES = 1000
_NUDGE_S = 0.1
# sockaddr_un holds 108 bytes and supervisord first binds a longer, temporary name.
_SOCKET_PATH_LIMIT = 90


class HomeLock:
    """At most one supervisor per home; held until the last holder of the file closes it."""

    def __init__(self, home: Home) -> None:
        self._path = home.path / "run" / "up.lock"
        self._file: IO[str] | None = None

    def acquire(self) -> int:
        """Take the lock and return its descriptor, to be inherited by supervisord.

        Raises SetupError naming the process that has it.
        """
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise SetupError(
                f"Spreadline already runs on {self._path.parent.parent} (pid {holder}); "
                f"stop it with Ctrl-C or `kill {holder}`, or set SPREADLINE_HOME to another folder."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return file.fileno()

    def release(self) -> None:
        """Let go; supervisord, if it still runs, goes on holding it."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the supervisor's own socket file."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC on a fresh connection per call, so that a failed call leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


def _quoted(text: str) -> str:
    """Escape a value for supervisord's configuration, where % starts an expansion."""
    return text.replace("%", "%%")


def _tied(command: Iterable[str], stop_signal: str) -> list[str]:
    """The command, told by the kernel to stop when its parent dies (where Linux allows)."""
    setpriv = shutil.which("setpriv")
    tie = [setpriv, "--pdeathsig", stop_signal, "--"] if setpriv else []
    return [*tie, *command]


def _placed(program: Program) -> tuple[str, ...]:
    """The command, on its own processor from its first instruction."""
    if program.processor is None:
        return program.command
    return ("taskset", "--cpu-list", str(program.processor), *program.command)


def configuration(home: Home, programs: Iterable[Program], socket_file: Path) -> str:
    """The text of supervisord.conf; only the services start by themselves."""
    lines = [
        "[supervisord]",
        "nodaemon=true",
        *(["user=root"] if os.geteuid() == 0 else []),
        f"logfile={_quoted(str(home.logs / 'supervisord.log'))}",
        f"logfile_maxbytes={_LOG_BYTES}",
        f"logfile_backups={_LOG_BACKUPS}",
        f"pidfile={_quoted(str(home.path / 'run' / 'supervisord.pid'))}",
        f"childlogdir={_quoted(str(home.logs))}",
        "silent=true",
        "",
        "[unix_http_server]",
        f"file={_quoted(str(socket_file))}",
        "chmod=0700",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    by_stage: dict[Stage, list[str]] = {}
    for program in programs:
        lines += ["", *_section(home, program)]
        by_stage.setdefault(program.stage, []).append(program.name)
    for stage, names in by_stage.items():
        lines += ["", f"[group:{stage}]", f"programs={','.join(names)}"]
        lines.append(f"priority={STAGES[stage]}")
    return "\n".join(lines) + "\n"


def _section(home: Home, program: Program) -> list[str]:
    environment = ",".join(
        f'{name}="{_quoted(value)}"' for name, value in program.environment.items()
    )
    command = shlex.join(_tied(_placed(program), program.stop_signal))
    return [
        f"[program:{program.name}]",
        f"command={_quoted(command)}",
        f"directory={_quoted(str(program.directory))}",
        f"environment={environment}",
        f"autostart={'true' if program.stage == 'services' else 'false'}",
        "autorestart=true",
        f"startsecs={_START_SECONDS}",
        f"startretries={_START_RETRIES}",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_wait_s}",
        "redirect_stderr=true",
        f"stdout_logfile={_quoted(str(home.logs / f'{program.name}.log'))}",
        f"stdout_logfile_maxbytes={_LOG_BYTES}",
        f"stdout_logfile_backups={_LOG_BACKUPS}",
        *([f"user={program.user}"] if program.user else []),
    ]


class Supervisor:
    """A running supervisord of one home."""

    def __init__(self, home: Home, programs: list[Program]) -> None:
        self._home = home
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_file = home.path / "run" / "supervisor.sock"
        self._socket_folder: Path | None = None

    def start(self, environment: dict[str, str], lock: int) -> None:
        """Write the configuration and start supervisord with the services."""
        if len(str(self._socket_file).encode()) > _SOCKET_PATH_LIMIT:
            self._socket_folder = Path(tempfile.mkdtemp(prefix="spreadline-run-"))
            self._socket_file = self._socket_folder / "supervisor.sock"
        config = self._home.path / "run" / "supervisord.conf"
        config.touch(mode=0o600)
        config.write_text(configuration(self._home, self._programs, self._socket_file))
        command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)]
        with (self._home.logs / "supervisord.out").open("wb") as output:
            self._process = subprocess.Popen(
                _tied(command, "TERM"),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock],
                # Ctrl-C in the terminal must reach `up` alone, which stops things in order.
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Whether supervisord runs."""
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether supervisord takes commands yet."""
        return self.states() is not None

    def states(self) -> dict[str, str] | None:
        """State word of each program, None when supervisord does not answer."""
        try:
            rows = self._call("getAllProcessInfo")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None
        if not isinstance(rows, list):
            return None
        return {str(row["name"]): str(row["statename"]) for row in rows}

    def nudge(self) -> None:
        """Have supervisord look at its children now.

        It does so when something happens on its sockets and else once a second, which is a
        third of the time that an engine may take to come back.
        """
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(_NUDGE_S)
            knock.connect(str(self._socket_file))

    def start_stage(self, stage: Stage) -> None:
        """Start every program of a stage without waiting for it."""
        if any(program.stage == stage for program in self._programs):
            self._call("startProcessGroup", stage, False)

    def stop(self) -> None:
        """Ask supervisord to stop everything in order; returns at once."""
        if self._process is not None and self.is_alive():
            self._process.send_signal(signal.SIGTERM)

    def forget(self) -> int | None:
        """Clean up after the end and return supervisord's exit code."""
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        return self._process.poll() if self._process else None

    def _call(self, method: str, *arguments: object) -> object:
        proxy = xmlrpc.client.ServerProxy(
            "http://localhost", transport=UnixTransport(self._socket_file)
        )
        with proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def last_words(self) -> str:
        """The last line supervisord printed: why it would not start."""
        output = self._home.logs / "supervisord.out"
        lines = output.read_text(errors="replace").strip().splitlines() if output.exists() else []
        return lines[-1] if lines else "no message"
