"""A Kraken stub in a process of its own: the books of twenty symbols over a loopback WebSocket.

At a given rate each frame carries its sending time as the venue's timestamp (which no
checksum covers), so a client can time it from before the send; flat out the stub only
waits for the socket to drain. It writes ready-made bytes, so that it is never what is
measured. Called by kraken_socket.py and tick_to_signal.py through `running_venue`.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.protocol import State

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.bench import kraken_frames

SYMBOLS = kraken_frames.symbols(20)
LOOPED_FRAMES = 20_000
FLAT_OUT_BATCH = 50
BUFFERED_BYTES = 256 * 1024
_PAIR = (
    '{{"symbol":"{}","status":"online","price_precision":2,"qty_precision":8,'
    '"price_increment":0.01,"qty_increment":0.00000001,"qty_min":0.02}}'
)
_STAMP_BYTES = len("2026-08-16T23:37:04.316445Z")


@contextmanager
def running_venue(rate: int, count: int) -> Iterator[str]:
    """Start the stub for one client and `count` updates (rate 0: flat out); yield its URL."""
    stub = subprocess.Popen(
        [sys.executable, __file__, str(rate), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stub.stdout is not None
    try:
        yield f"ws://127.0.0.1:{int(stub.stdout.readline())}/v2"
    finally:
        stub.kill()
        stub.wait()


def wire(text: bytes) -> bytes:
    """One unmasked text frame as it goes on the socket."""
    size = len(text)
    head = struct.pack(">BB", 0x81, size) if size < 126 else struct.pack(">BBH", 0x81, 126, size)
    return head + text


def stamped(frame: bytes) -> bytes:
    """The frame with this moment as the venue's timestamp, which no checksum covers."""
    now = datetime.fromtimestamp(time.time_ns() // 1000 / 1e6, UTC)  # noqa: TID251
    at = frame.rindex(b'"timestamp":"') + len(b'"timestamp":"')
    text = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    return frame[:at] + text + frame[at + _STAMP_BYTES :]


async def play(socket: ServerConnection, frames: list[bytes], rate: int, count: int) -> None:
    """Send `count` updates at that rate a second, 0 for as fast as they are read."""
    snapshots, updates = frames[: len(SYMBOLS)], frames[len(SYMBOLS) :]
    opening = b"".join(map(wire, snapshots))
    flat = [
        b"".join(map(wire, updates[at : at + FLAT_OUT_BATCH]))
        for at in range(0, len(updates), FLAT_OUT_BATCH)
    ]
    loop, transport, sent = asyncio.get_running_loop(), socket.transport, 0
    started = loop.time()
    while sent < count and socket.state is State.OPEN:
        # The venue begins anew with snapshots, as after a resubscription.
        transport.write(b"".join(wire(stamped(f)) for f in snapshots) if rate else opening)
        if rate:
            for frame in updates[: count - sent]:
                sent += 1
                ahead_s = started + sent / rate - loop.time()
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
                if socket.state is not State.OPEN:
                    return
                transport.write(wire(stamped(frame)))
        else:
            for batch in flat:
                if socket.state is not State.OPEN:
                    return
                transport.write(batch)
                await drained(transport)
            sent += len(updates)


async def drained(transport: asyncio.Transport) -> None:
    """Wait until most of what was written has left."""
    # The transport tells its buffer, not its changes.
    while not transport.is_closing() and transport.get_write_buffer_size() > BUFFERED_BYTES:  # noqa: ASYNC110
        await asyncio.sleep(0)


def die_with_parent() -> None:
    """End this process when the pipe that its parent holds is closed, however that died."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


async def venue(rate: int, count: int) -> None:
    """Serve one client: instruments, then books when it asks for them."""
    die_with_parent()
    over = asyncio.Event()
    # Before anybody connects: it takes seconds, and the feed is not patient.
    frames = list(kraken_frames.frames(LOOPED_FRAMES, SYMBOLS))

    async def talk(socket: ServerConnection) -> None:
        async for text in socket:
            request = json.loads(text)
            channel = (request.get("params") or {}).get("channel")
            if channel == "instrument":
                pairs = ",".join(_PAIR.format(name) for name in SYMBOLS)
                await socket.send(
                    '{"channel":"instrument","type":"snapshot","data":{"pairs":[' + pairs + "]}}"
                )
            elif channel == "book":
                await play(socket, frames, rate, count)
                break
        await asyncio.sleep(1)
        over.set()

    # While it plays it takes no requests: a full queue of them would stop it reading pongs.
    async with serve(
        talk, "127.0.0.1", 0, compression=None, max_queue=None, ping_interval=None
    ) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await over.wait()


if __name__ == "__main__":
    uvloop.run(venue(int(sys.argv[1]), int(sys.argv[2])))
