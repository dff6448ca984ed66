"""Keys, nonces and signatures of Kraken's private REST API.

Pure of I/O. The signature is base64(HMAC-SHA512(secret, path + SHA-256(nonce + body))).
Called by `rest`; the simulator checks signatures with the same function.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from arbsite.clock import Clock
from arbsite.errors import SetupError


class Credentials:
    """An API key and its decoded secret; neither ever shows in a log or a traceback."""

    __slots__ = ("_secret", "key")

    def __init__(self, key: str, secret_base64: str) -> None:
        try:
            secret = base64.b64decode(secret_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SetupError("The Kraken secret is not base64; copy it whole.") from error
        if not key or not secret:
            raise SetupError("The Kraken key and secret must both be set.")
        self.key = key
        self._secret = secret

    def __repr__(self) -> str:
        return "Credentials(hidden)"

    @property
    def fingerprint(self) -> str:
        """A name for the key that tells nothing about it."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    def sign(self, path: str, nonce: str, body: bytes) -> str:
        """Return the `API-Sign` header for exactly these body bytes."""
        digest = hashlib.sha256(nonce.encode("ascii") + body).digest()
        mac = hmac.digest(self._secret, path.encode("ascii") + digest, "sha512")
        return base64.b64encode(mac).decode("ascii")


class NonceSource:
    """Strictly increasing nonces for one key: max(now in ns, last + 1).

    One source per key and process; nanoseconds, so that a restart is always ahead.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def take(self) -> int:
        """Return the next nonce; a clock that stands still or jumps back does not matter."""
        self._last = max(self._clock.now_ns(), self._last + 1)
        return self._last
