"""Real sockets behind the `Transport` port: WebSockets and keep-alive HTTP.

Knows nothing of any venue and never retries, follows a redirect or reads a proxy from the
environment: an order must not travel twice, nor to a host nobody configured. Called by
the venue adapters; the seeded runs use in-memory pipes instead.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

from arbsite import metrics
from feeds.venues.framing import FramedConnection
from feeds.venues.http_lines import HttpLines
from feeds.venues.transport import HttpReply

MAX_FRAME_BYTES = 32 * 1024 * 1024
"""Kraken's `instrument` snapshot is near 1 MiB and grows; a library default would refuse it."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A longer HTTP body is a fault of the other side, not an answer."""

QUEUED_FRAMES = 1024
"""With more than so many frames waiting, a WebSocket is left unread and its sender held up."""

_CLOSE_TIMEOUT_S = 0.5


class _DirectConnect(connect):
    """`connect` that treats a redirect as the failure it is."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class SocketConnection:
    """One open WebSocket; text frames both ways, payloads as bytes."""

    def __init__(self, socket: FramedConnection, host: str) -> None:
        self._socket = socket
        self._host = host
        self._texts = socket.texts
        self._most_waiting = 0
        self._was_paused = False
        socket.on_pause = self._note_pause

    async def send(self, text: str | bytes) -> None:
        """Write one text frame; raises ConnectionError when the socket is gone."""
        if self._socket.write_text(text.encode() if isinstance(text, str) else text):
            return
        try:
            await self._socket.send(text, text=True)
        except ConnectionClosed as error:
            raise ConnectionError(f"socket closed while sending: {error}") from error

    async def recv(self) -> bytes:
        """Wait for the next frame's payload; raises ConnectionError at the end."""
        if self._was_paused:
            self._note_depth()
        if not self._texts:
            try:
                await self._socket.more()
            except ConnectionClosed as error:
                raise ConnectionError(f"socket closed: {error}") from error
        text = self._texts.popleft()
        if self._socket.is_paused:
            self._socket.resume()
        return text

    async def close(self) -> None:
        """Close, idempotent; gives a silent peer half a second."""
        await self._socket.close()

    def _note_pause(self) -> None:
        """The socket is left unread: we do not take the frames as fast as they come."""
        self._was_paused = True
        metrics.SOCKET_PAUSES.labels(self._host).inc()

    def _note_depth(self) -> None:
        # Gauge of the worst, told late: nothing is worth a look at a gauge per frame.
        self._was_paused = False
        self._most_waiting = max(self._most_waiting, len(self._texts))
        metrics.SOCKET_QUEUE_DEPTH.labels(self._host).set(self._most_waiting)


class SocketTransport:
    """The production transport. One per process; HTTP connections are kept open."""

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._lines = HttpLines(MAX_BODY_BYTES)

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> SocketConnection:
        """Open a WebSocket; raises ConnectionError or TimeoutError.

        Compression is off: at this message size it costs more latency than bytes. The
        library answers the peer's pings and sends its own.
        """
        try:
            socket = await _DirectConnect(
                url,
                create_connection=FramedConnection,
                compression=None,
                open_timeout=timeout_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=self._max_frame_bytes,
                max_queue=QUEUED_FRAMES,
                proxy=None,
            )
        except TimeoutError as error:
            raise TimeoutError(f"no WebSocket from {url} within {timeout_s} s") from error
        except (OSError, WebSocketException, InvalidURI) as error:
            raise ConnectionError(f"cannot open a WebSocket to {url}: {error}") from error
        assert isinstance(socket, FramedConnection)
        return SocketConnection(socket, urlsplit(url).hostname or "")

    async def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Perform one request and read the whole body.

        Raises NotSent when the connection was never made (refused, DNS, TLS, connect
        timeout), TimeoutError or ConnectionError when the request may have been delivered.
        A GET whose kept connection had died is asked again; never a POST.
        """
        return await self._lines.request(method, url, headers or {}, body, timeout_s)

    async def close(self) -> None:
        """Close every kept connection; the next `http` opens another."""
        await self._lines.close()
