"""The wire as a port: adapters speak to venues only through a `Transport`.

Real sockets in production, the demo and the kill tests; in-memory pipes on a
virtual-time loop in seeded runs. Nothing above this file knows which one it has.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class HttpReply(msgspec.Struct, frozen=True):
    """Status and body of an HTTP answer, whatever they are."""

    status: int
    body: bytes


class WsConnection(Protocol):
    """One open WebSocket. `recv` raises `ConnectionError` when it is over."""

    async def send(self, text: str | bytes) -> None:
        """Write one text frame; raises ConnectionError when the socket is gone."""

    async def recv(self) -> bytes:
        """Wait for the next frame's payload; raises ConnectionError at the end."""

    async def close(self) -> None:
        """Close, idempotent."""


class Transport(Protocol):
    """Opens sockets and performs HTTP calls; every failure is a ConnectionError or TimeoutError.

    `http` distinguishes what may have left the machine: it raises `NotSent`
    (arbsite.errors) when no byte was written (refused, DNS, TLS), and ConnectionError or
    TimeoutError when the request may have been delivered.
    """

    async def connect(self, url: str, *, timeout_s: float = 5.0) -> WsConnection:
        """Open a WebSocket; raises ConnectionError or TimeoutError."""

    async def http(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Perform one request and read the whole body."""

    async def close(self) -> None:
        """Close every pooled connection."""
