"""How many console sockets one address and one user may hold in this process.

A socket costs memory and a share of every frame, so a stranger that opens thousands, or a
console that connects again and again, must meet an end. Counted from the accept to the
disconnect, the ones that are being refused included. Called by `consumers` only. Not here:
messages per second (the socket's own), sign-ins (`auth.throttle`).
"""

from __future__ import annotations

from collections import Counter


class SocketCaps:
    """Who holds how many; `take` says whether one more is allowed, `leave` gives all back."""

    def __init__(self, *, per_address: int, per_user: int) -> None:
        self._most = {"address": per_address, "user": per_user}
        self._held: Counter[tuple[str, str]] = Counter()
        self._of: dict[object, list[tuple[str, str]]] = {}

    def take_address(self, socket: object, address: str) -> bool:
        """Count a socket for its address; False when that is one too many."""
        return self._take(socket, ("address", address))

    def take_user(self, socket: object, user: str) -> bool:
        """Count a socket for its user; False when that is one too many."""
        return self._take(socket, ("user", user))

    def leave(self, socket: object) -> None:
        """Give back everything a socket was counted for; once is enough, twice is fine."""
        for key in self._of.pop(socket, ()):
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]

    def _take(self, socket: object, key: tuple[str, str]) -> bool:
        self._held[key] += 1
        self._of.setdefault(socket, []).append(key)
        return self._held[key] <= self._most[key[0]]
