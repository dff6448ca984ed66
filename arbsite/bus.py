"""The event bus as a port, with a Redis, a NATS and an in-memory adapter.

Messages are wake-ups and pictures: every adapter may lose them (a dropped connection, a
slow subscriber) and none may block a publisher. What must not be lost is in PostgreSQL.
Subjects are dot-separated tokens (`arbsite.events`); in a pattern `*` stands for one
token and a last `>` for one or more. Not here: what the messages mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import msgspec

from arbsite.clock import system_random
from arbsite.errors import SetupError
from arbsite.events import BusMessage
from arbsite.logs import event_logger

if TYPE_CHECKING:
    from nats.aio.client import Client as NatsClient
    from nats.aio.msg import Msg as NatsMessage
    from nats.aio.subscription import Subscription as NatsSubscription
    from redis.asyncio import Redis

log = event_logger(__name__)

# Servers are shared with caches and queues: every channel name starts with this.
PREFIX = "spreadline."
DEFAULT_CAPACITY = 4096
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_PUBLISH_TIMEOUT_S = 1.0
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 2.0

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[BusMessage] = msgspec.json.Decoder(BusMessage)


def encode(message: msgspec.Struct) -> bytes:
    """Write any message struct as JSON."""
    return _encoder.encode(message)


def decode(payload: bytes) -> BusMessage:
    """Read a message of `arbsite.events`; raises one of `errors.UNREADABLE`."""
    return _decoder.decode(payload)


def check_subject(subject: str) -> str:
    """Return `subject` when it is plain tokens; raise ValueError otherwise."""
    if not all(_TOKEN.fullmatch(token) for token in subject.split(".")):
        raise ValueError(f"{subject!r} is not a subject: tokens of letters, digits, _ and -")
    return subject


def check_pattern(pattern: str) -> str:
    """Return `pattern` when it is tokens with * and a last >; raise ValueError otherwise."""
    *front, last = pattern.split(".")
    rest = front if last == ">" else [*front, last]
    if not all(part == "*" or _TOKEN.fullmatch(part) for part in rest):
        raise ValueError(f"{pattern!r} is not a pattern: subject tokens, * and a last >")
    return pattern


def matches(pattern: str, subject: str) -> bool:
    """Whether `subject` is one that `pattern` names."""
    wanted = pattern.split(".")
    found = subject.split(".")
    if wanted[-1] == ">":
        wanted = wanted[:-1]
        if len(found) <= len(wanted):
            return False
        found = found[: len(wanted)]
    if len(wanted) != len(found):
        return False
    return all(token in ("*", name) for token, name in zip(wanted, found, strict=True))


class Subscription:
    """Messages of some patterns, in order per subject, newest kept: an async iterator.

    A message that several patterns name is delivered once.

    A reader that falls behind loses the oldest messages; `dropped` counts them. `gaps`
    counts the times the connection was lost, when anything may have been missed.
    """

    def __init__(
        self,
        patterns: tuple[str, ...],
        capacity: int,
        on_close: Callable[[Subscription], None] | None = None,
    ) -> None:
        self.patterns = tuple(check_pattern(pattern) for pattern in patterns)
        self.dropped = 0
        self.gaps = 0
        self._on_close = on_close
        self._queue: deque[tuple[str, bytes]] = deque(maxlen=capacity)
        self._arrived = asyncio.Event()
        self._is_closed = False

    def first_match(self, subject: str) -> str | None:
        """The first of the patterns that names `subject`."""
        return next((p for p in self.patterns if matches(p, subject)), None)

    def offer(self, subject: str, payload: bytes) -> None:
        """Take a message from the adapter; never blocks."""
        if self._is_closed:
            return
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append((subject, payload))
        self._arrived.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> tuple[str, bytes]:
        while not self._queue:
            if self._is_closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    def pending(self) -> int:
        """How many messages wait to be read."""
        return len(self._queue)

    def close(self) -> None:
        """End the iteration once what is queued has been read; idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._arrived.set()
            if self._on_close is not None:
                self._on_close(self)


class Bus(Protocol):
    """Publish and subscribe. `lost` counts publishes that certainly went nowhere."""

    lost: int

    async def publish(self, subject: str, payload: bytes) -> None:
        """Hand over a message; a lost connection is counted in `lost`, not raised."""

    async def subscribe(self, *patterns: str, capacity: int = DEFAULT_CAPACITY) -> Subscription:
        """Return when the server knows the patterns: later publishes arrive."""

    async def close(self) -> None:
        """End every subscription and connection; idempotent."""


class MemoryBus:
    """A bus inside one event loop: inline feeds and tests."""

    def __init__(self) -> None:
        self.lost = 0
        self._subscriptions: list[Subscription] = []

    async def publish(self, subject: str, payload: bytes) -> None:
        """Give the message to every subscription that wants it."""
        check_subject(subject)
        for subscription in tuple(self._subscriptions):
            if subscription.first_match(subject) is not None:
                subscription.offer(subject, payload)

    async def subscribe(self, *patterns: str, capacity: int = DEFAULT_CAPACITY) -> Subscription:
        """Subscribe at once."""
        subscription = Subscription(patterns, capacity, self._subscriptions.remove)
        self._subscriptions.append(subscription)
        return subscription

    async def close(self) -> None:
        """End every subscription."""
        for subscription in tuple(self._subscriptions):
            subscription.close()


class RedisBus:
    """Pub/sub on Redis or Valkey; one connection per subscription, one pool to publish."""

    def __init__(self, url: str, rng: Random | None = None) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self.lost = 0
        self._rng = rng or system_random()
        # No retry inside the client: it would hide a gap and send a publish twice.
        self._client: Redis = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=_PUBLISH_TIMEOUT_S,
            health_check_interval=5,
        )
        self._readers: dict[Subscription, asyncio.Task[None]] = {}

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publish; counted as lost when the server does not answer within a second."""
        from redis.exceptions import RedisError

        channel = PREFIX + check_subject(subject)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await self._client.publish(channel, payload)
        except (RedisError, OSError, TimeoutError):
            self.lost += 1

    async def subscribe(self, *patterns: str, capacity: int = DEFAULT_CAPACITY) -> Subscription:
        """Subscribe, waiting for the server to be there if it is not."""
        subscription = Subscription(patterns, capacity, self._forget)
        ready = asyncio.Event()
        self._readers[subscription] = asyncio.create_task(self._read(subscription, ready))
        await ready.wait()
        return subscription

    async def close(self) -> None:
        """End every subscription and close the connections."""
        readers = list(self._readers.values())
        for subscription in tuple(self._readers):
            subscription.close()
        await asyncio.gather(*readers, return_exceptions=True)
        await self._client.aclose()

    def _forget(self, subscription: Subscription) -> None:
        self._readers.pop(subscription).cancel()

    async def _read(self, subscription: Subscription, ready: asyncio.Event) -> None:
        """Keep one subscription alive for ever, counting every time it broke."""
        from redis.exceptions import RedisError

        retry_s = _FIRST_RETRY_S
        while True:
            try:
                await self._read_connection(subscription, ready)
            except (RedisError, OSError) as error:
                if ready.is_set():
                    subscription.gaps += 1
                    log.warning("bus.disconnected", reason=type(error).__name__)
                    retry_s = _FIRST_RETRY_S
                    ready.clear()
            await asyncio.sleep(retry_s * (0.5 + self._rng.random()))
            retry_s = min(retry_s * 2, _LONGEST_RETRY_S)

    async def _read_connection(self, subscription: Subscription, ready: asyncio.Event) -> None:
        globs = list(dict.fromkeys(map(_glob, subscription.patterns)))
        async with self._client.pubsub() as pubsub:
            await pubsub.psubscribe(*globs)
            confirmed = 0
            while True:
                message = await pubsub.get_message(timeout=5.0)
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    confirmed += 1
                    if confirmed == len(globs):
                        ready.set()
                elif message["type"] == "pmessage":
                    # Redis lets * cross dots and delivers once per matching glob; the
                    # first pattern that names the subject decides.
                    subject = message["channel"].decode().removeprefix(PREFIX)
                    first = subscription.first_match(subject)
                    if first is not None and _glob(first) == message["pattern"].decode():
                        subscription.offer(subject, message["data"])


def _glob(pattern: str) -> str:
    """The narrowest Redis glob that lets through everything `pattern` names."""
    return PREFIX + pattern.replace(">", "*")


class NatsBus:
    """Core NATS publish and subscribe; its own reconnects, counted as gaps."""

    def __init__(self, url: str) -> None:
        self.lost = 0
        self._url = url
        self._client: NatsClient | None = None
        self._connecting = asyncio.Lock()
        self._handles: dict[Subscription, list[NatsSubscription]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publish; during a reconnect the client holds messages back, then counts as lost."""
        from nats.errors import Error

        channel = PREFIX + check_subject(subject)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                client = await self._connected()
                await client.publish(channel, payload)
        except (Error, OSError, TimeoutError):
            self.lost += 1

    async def subscribe(self, *patterns: str, capacity: int = DEFAULT_CAPACITY) -> Subscription:
        """Subscribe, waiting for the server to be there if it is not."""
        client = await self._connected()
        subscription = Subscription(patterns, capacity, self._forget)

        def taker(pattern: str) -> Callable[[NatsMessage], Awaitable[None]]:
            async def take(message: NatsMessage) -> None:
                # NATS delivers once per matching pattern; the first one counts.
                subject = message.subject.removeprefix(PREFIX)
                if subscription.first_match(subject) == pattern:
                    subscription.offer(subject, message.data)

            return take

        self._handles[subscription] = [
            await client.subscribe(PREFIX + pattern, cb=taker(pattern))
            for pattern in dict.fromkeys(subscription.patterns)
        ]
        await client.flush()
        return subscription

    async def close(self) -> None:
        """End every subscription and close the connection."""
        for subscription in tuple(self._handles):
            subscription.close()
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> NatsClient:
        import nats

        async with self._connecting:
            if self._client is None:
                self._client = await nats.connect(
                    self._url,
                    name="spreadline",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_LONGEST_RETRY_S / 10,
                    connect_timeout=2,
                    disconnected_cb=self._count_gap,
                    error_cb=_log_nats_error,
                )
        return self._client

    async def _count_gap(self) -> None:
        for subscription in self._handles:
            subscription.gaps += 1
        if self._handles:
            log.warning("bus.disconnected", reason="nats")

    def _forget(self, subscription: Subscription) -> None:
        task = asyncio.ensure_future(_unsubscribe(self._handles.pop(subscription)))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _unsubscribe(handles: list[NatsSubscription]) -> None:
    from nats.errors import Error

    for handle in handles:
        with contextlib.suppress(Error):
            await handle.unsubscribe()


async def _log_nats_error(error: Exception) -> None:
    log.warning("bus.failed", reason=type(error).__name__)


def bus_from_url(url: str) -> Bus:
    """The bus a deployment chose: redis://, rediss://, unix://, nats://, tls:// or memory://."""
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss", "unix"):
        return RedisBus(url)
    if scheme in ("nats", "tls"):
        return NatsBus(url)
    if scheme == "memory":
        return MemoryBus()
    raise SetupError(
        f"BUS_URL starts with {scheme or 'nothing'}; use redis://, nats:// or memory://."
    )
