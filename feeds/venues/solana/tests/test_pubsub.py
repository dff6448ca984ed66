"""One endpoint's socket: what ends it, what must not, and what it remembers."""

from __future__ import annotations

import pytest

from arbsite.clock import SystemClock, seeded_random
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.pubsub import AccountNotice, PubSub, SignatureNotice
from feeds.venues.solana.tests.builders import key, token_account
from feeds.venues.solana.tests.node import Heard, Refusal, ScriptedNode, running

WHO = key("who")
OTHER = key("other")
SIGNATURE = "5" * 87


class Listener(Heard):
    """Remembers what it is told, in order."""

    def on_slot(self, endpoint: str, slot: int, recv_ns: int, parent: int | None) -> None:
        self(("slot", slot))

    def on_account(self, notice: AccountNotice) -> None:
        self(notice)

    def on_signature(self, notice: SignatureNotice) -> None:
        self(notice)

    def on_ready(self, endpoint: str, recv_ns: int) -> None:
        self("ready")

    def on_down(self, endpoint: str, reason: str, recv_ns: int) -> None:
        self(f"down: {reason}")

    async def saw(self, event: object, times: int = 1) -> None:
        await self.until(lambda: self.events.count(event) >= times)


def socket(
    transport: SocketTransport, node: ScriptedNode, listener: Listener, **options: float
) -> PubSub:
    made = PubSub(
        transport, node.endpoint, listener, clock=SystemClock(), rng=seeded_random(2), **options
    )
    made.want_accounts({WHO, OTHER})
    return made


@pytest.fixture
def listener() -> Listener:
    return Listener()


async def test_notifications_reach_the_listener_by_subscription(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener)
    async with running(made.run()):
        await listener.saw("ready")
        assert made.is_up
        assert node_a.subscribed() == {("slot", ""), ("account", WHO), ("account", OTHER)}
        await node_a.tick(7)
        account = token_account(OTHER, key("mint"), key("owner"), 42)
        await node_a.notify_account(account)
        notice = await listener.next(AccountNotice)
        assert (notice.address, notice.slot, notice.account) == (OTHER, 7, account)
        assert ("slot", 7) in listener.events
    assert listener.events[-1] == "down: cancelled"


async def test_subscriptions_survive_a_slippage_failure(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener)
    made.want_signature(SIGNATURE)
    async with running(made.run()):
        await listener.saw("ready")
        await node_a.until(lambda: ("signature", SIGNATURE) in node_a.subscribed())
        await node_a.notify_received(SIGNATURE, 8)
        await node_a.notify_signature(
            SIGNATURE, {"InstructionError": [2, {"Custom": 6036}]}, slot=9
        )
        seen = await listener.next(SignatureNotice)
        assert (seen.slot, seen.error_code) == (9, 6036)
        assert seen.error == '{"InstructionError":[2,{"Custom":6036}]}'
        await node_a.tick(10)
        await listener.saw(("slot", 10))
        assert node_a.connections == 1
        assert made.counters.bad_frames == 0


async def test_bad_frames_are_counted_and_survived(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener)
    async with running(made.run()):
        await listener.saw("ready")
        unknown = '{"method":"transactionNotification","params":{"subscription":1,"result":{}}}'
        frames = [
            "{",
            "[]",
            "null",
            '{"id":99,"result":1}',
            "x" * 1000,
            unknown,
            '{"method":"slotNotification","params":{"subscription":1,"result":{"slot":-4}}}',
        ]
        for frame in frames:  # fmt: skip
            await node_a.say(frame)
        await node_a.tick(11)
        await listener.saw(("slot", 11))
        assert made.counters.bad_frames == len(frames)
        assert node_a.connections == 1


async def test_a_dropped_socket_is_reopened_with_every_wish(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener)
    made.want_signature(SIGNATURE)
    async with running(made.run()):
        await listener.saw("ready")
        await node_a.drop_sockets()
        await listener.saw("down: closed")
        assert not made.is_up
        await listener.saw("ready", times=2)
        await node_a.until(lambda: ("signature", SIGNATURE) in node_a.subscribed())
        assert ("account", WHO) in node_a.subscribed()


async def test_silence_is_death(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener, silence_s=0.05)
    async with running(made.run()):
        await listener.saw("down: silent")
        await listener.saw("ready", times=2)


async def test_an_unacknowledged_subscription_starts_over(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    node_a.answers_subscriptions = False
    made = socket(transport, node_a, listener, ack_timeout_s=0.0)
    async with running(made.run()):
        await node_a.until(lambda: ("account", WHO) in node_a.subscribed())
        await node_a.tick(12)
        await listener.saw("down: slot not acknowledged")
        assert "ready" not in listener.events


async def test_a_refused_account_subscription_is_not_lived_with(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    node_a.refuse["accountSubscribe"] = Refusal(-32602)
    made = socket(transport, node_a, listener)
    async with running(made.run()):
        await listener.saw("down: account refused")
        node_a.refuse.clear()
        await listener.saw("ready")


async def test_changed_wishes_are_sent_and_acknowledged(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener)
    third = key("third")
    async with running(made.run()):
        await listener.saw("ready")
        made.want_accounts({OTHER, third})
        await listener.saw("ready", times=2)
        await node_a.until(lambda: ("account", WHO) not in node_a.subscribed())
        assert ("account", third) in node_a.subscribed()
        assert node_a.connections == 1


async def test_the_heartbeat_measures_a_round_trip(
    transport: SocketTransport, node_a: ScriptedNode, listener: Listener
) -> None:
    made = socket(transport, node_a, listener, heartbeat_s=0.02)
    async with running(made.run()):
        await node_a.until(lambda: any(c["method"] == "getHealth" for c in node_a.ws_requests))
        await node_a.tick(13)
        await listener.saw(("slot", 13))
        assert made.rtt_ms is not None
        assert made.rtt_ms < 1000
