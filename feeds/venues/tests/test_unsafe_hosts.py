"""A host whose name or certificate is not what it should be: nothing is sent to it."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from arbsite.errors import NotSent
from feeds.venues.sockets import SocketTransport

LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
OTHER = x509.DNSName("other.example")


@pytest.fixture
async def transport() -> AsyncIterator[SocketTransport]:
    transport = SocketTransport()
    yield transport
    await transport.close()


def certificate(folder: Path, name: x509.GeneralName, *, days: int) -> Path:
    """A self-signed certificate with its key, which ends `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "venue")])
    ends_at = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends_at - dt.timedelta(days=30))
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "venue.pem"
    pem.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem


@pytest.mark.parametrize(
    ("name", "days", "is_trusted"),
    [(LOOPBACK, -1, True), (OTHER, 20, True), (LOOPBACK, 20, False), (LOOPBACK, 20, None)],
    ids=["expired", "of another host", "of nobody we trust", "good"],
)
async def test_a_wrong_certificate_is_refused_without_a_word(
    tmp_path: Path,
    transport: SocketTransport,
    monkeypatch: pytest.MonkeyPatch,
    name: x509.GeneralName,
    days: int,
    is_trusted: bool | None,
) -> None:
    """Fault 72; the good one shows that the refusals are about the certificate."""
    pem = certificate(tmp_path, name, days=days)
    if is_trusted is not False:
        trusting = ssl.create_default_context(cafile=str(pem))
        monkeypatch.setattr("feeds.venues.http_lines._tls_context", lambda: trusting)
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        if is_trusted is None:
            assert (await transport.http("GET", f"https://127.0.0.1:{port}/")).status == 200
        else:
            with pytest.raises(NotSent):
                await transport.http("POST", f"https://127.0.0.1:{port}/", body=b"order")
            with pytest.raises(ConnectionError):
                await transport.connect(f"wss://127.0.0.1:{port}/")
            assert heard == []
    finally:
        server.close()
        await server.wait_closed()


async def test_a_name_that_does_not_resolve_is_not_sent(
    transport: SocketTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 73: as a network loss, for calls and sockets alike."""

    async def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    with pytest.raises(NotSent):
        await transport.http("POST", "http://venue.example/", body=b"order")
    with pytest.raises(ConnectionError):
        await transport.connect("ws://venue.example/", timeout_s=2)
