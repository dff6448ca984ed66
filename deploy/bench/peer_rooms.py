"""The environments the benchmarks make for their peers, apart from the product's.

Made below a folder of the caller's once, and used again while the pins stay the same. A
peer that cannot be installed costs one line, not the run. Called by kraken_book.py and
pool_quotes.py.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "peers"
_LAST_WORDS = 200


class PeerMissing(Exception):
    """A peer that cannot take part, and why."""


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    finished = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        words = (finished.stderr or finished.stdout).strip().splitlines() or ["no message"]
        raise PeerMissing(f"{Path(command[0]).name} failed: {words[-1][-_LAST_WORDS:]}")


def make_room(folder: Path, python: str, requirements: str) -> Path:
    """Return the interpreter of a venv with those requirements; PeerMissing when it fails."""
    pins = HERE / requirements
    mark = hashlib.sha256(pins.read_bytes()).hexdigest()
    room = folder / pins.stem
    interpreter = room / "bin" / "python"
    done = room / "pins.sha256"
    if done.exists() and done.read_text() == mark:
        return interpreter
    if shutil.which(python) is None:
        raise PeerMissing(f"no {python} on PATH")
    print(f"installing {requirements} into {room} …", flush=True)
    _run(python, "-m", "venv", "--clear", room)
    _run(interpreter, "-m", "pip", "install", "--quiet", "-r", pins)
    done.write_text(mark)
    return interpreter


def add_hummingbot(interpreter: Path) -> None:
    """Build hummingbot's core from its source package; some two minutes, once.

    Only the extensions below hummingbot/core: those of strategies and other connectors
    take no part and would take another quarter of an hour.
    """
    pins = HERE / "hummingbot.txt"
    mark = interpreter.parent.parent / "hummingbot.pin"
    if mark.exists() and mark.read_text() == pins.read_text():
        return
    print("building hummingbot's core (some two minutes) …", flush=True)
    pip = (interpreter, "-m", "pip")
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        _run(
            *pip, "download", "--quiet", "--no-deps", "--no-build-isolation",
            "--no-binary", ":all:", "-d", here, "-r", pins,
        )  # fmt: skip
        (archive,) = here.glob("*.tar.gz")
        with tarfile.open(archive) as content:
            content.extractall(here, filter="data")
        (source,) = (path for path in here.iterdir() if path.is_dir())
        for extension in (source / "hummingbot").rglob("*.pyx"):
            if extension.relative_to(source).parts[1] != "core":
                extension.unlink()
        _run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", source)
    mark.write_text(pins.read_text())
