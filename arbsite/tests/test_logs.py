"""Logs: one JSON object per record, the intent through tasks, and not one secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Task
from celery.contrib.testing.worker import start_worker
from hypothesis import given
from hypothesis import strategies as st

from arbsite import logs
from arbsite.celery import app
from arbsite.follow import Console
from arbsite.logs import JsonFormatter, bound_intent, event_logger, intent_key, readable

log = event_logger("spreadline.test")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("engine"))
    logger = logging.getLogger("spreadline.test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)


def _records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_has_its_event_facts_process_and_time(lines: io.StringIO) -> None:
    log.info("trade.closed", asset="SOL", pnl_usd="1.25", legs=2, verified=True)
    (record,) = _records(lines)
    assert record.pop("at").endswith("Z")
    assert record == {
        "level": "INFO",
        "process": "engine",
        "logger": "spreadline.test",
        "event": "trade.closed",
        "asset": "SOL",
        "pnl_usd": "1.25",
        "legs": 2,
        "verified": True,
    }


def test_a_line_break_cannot_forge_a_record(lines: io.StringIO) -> None:
    log.info("order.rejected", reason='EOrder:x\r\n{"event":"trade.closed"}')
    assert len(lines.getvalue().splitlines()) == 1
    fields = _records(lines)[0] | {"event": "a\nb"}
    assert len(readable(fields).splitlines()) == 1 or "\\n" in readable(fields)


async def test_the_intent_follows_tasks_and_not_their_neighbours(lines: io.StringIO) -> None:
    async def leg(name: str) -> None:
        await asyncio.sleep(0)
        log.info("leg.sent", leg=name)

    with bound_intent("k1"):
        inside = [asyncio.create_task(leg("cex")), asyncio.create_task(leg("dex"))]
    outside = asyncio.create_task(leg("other"))
    await asyncio.gather(*inside, outside)
    found = {record["leg"]: record.get("intent_key") for record in _records(lines)}
    assert found == {"cex": "k1", "dex": "k1", "other": None}


def test_the_intent_reaches_a_celery_worker_and_leaves_with_the_task(redis_url: str) -> None:
    seen: list[str | None] = []
    done = threading.Event()

    def note(self: Task) -> None:
        seen.append(intent_key.get())
        if len(seen) == 2:
            done.set()

    task = app.task(bind=True, name="spreadline.test_note")(note)
    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
        with bound_intent("k2"):
            task.delay()
        task.delay()
        assert done.wait(timeout=20)
    assert seen == ["k2", None]


CANARY = "Canary7F2secretValue99"


@pytest.mark.parametrize(
    "facts",
    [
        {"api_key": CANARY},
        {"wallet_secret": CANARY},
        {"headers": {"Authorization": f"Bearer {CANARY}", "X": "kept"}},
        {"body": f'{{"password": "{CANARY}", "user": "kept"}}'},
        {"url": f"redis://user:{CANARY}@127.0.0.1:1/kept"},
        {"text": f"token={CANARY}&kept=1"},
        {"nested": [{"private_key": CANARY}, ("kept", f"Bearer {CANARY}")]},
        {"registered": f"kept {CANARY} anywhere"},
        {"error": ValueError(f"kept api-key: {CANARY}")},
    ],
)
def test_no_secret_is_printed(
    lines: io.StringIO, facts: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_known_secrets", set())
    if "registered" in facts:
        logs.register_secret(CANARY)
    log.warning("thing.happened", **facts)
    try:
        raise RuntimeError(f"password={CANARY}")
    except RuntimeError:
        log.exception("thing.failed", **facts)
    logging.getLogger("spreadline.test").info("library says secret=%s", CANARY)
    text = lines.getvalue()
    assert CANARY not in text
    assert logs.REDACTED in text
    assert "RuntimeError" in text


def test_a_json_web_token_is_removed_wherever_it_stands() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_w"
    assert token not in logs.redact_text(f"frame {token} closed")


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=60))
def test_redaction_never_fails_and_is_stable(text: str) -> None:
    once = logs.redact_text(text)
    assert logs.redact_text(once) == once


def test_the_console_prefixes_renders_and_follows_a_rotation(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_text("old line\n")
    output = io.StringIO()
    console = Console(tmp_path, ["engine", "web"], output, colour=False)
    console.print_new()
    assert output.getvalue() == ""

    record = {"at": "2026-01-02T03:04:05.678Z", "level": "INFO", "event": "engine.started", "n": 1}
    with (tmp_path / "engine.log").open("a") as file:
        file.write(json.dumps(record) + "\n" + "half")
    (tmp_path / "web.log").write_text("plain \x1b[31mred\x1b[0m\n")
    console.print_new()
    assert output.getvalue().splitlines() == [
        "engine | 03:04:05.678 engine.started n=1",
        "web    | plain ?[31mred?[0m",
    ]

    with (tmp_path / "engine.log").open("a") as file:
        file.write(" a line\n")
    (tmp_path / "engine.log").rename(tmp_path / "engine.log.1")
    (tmp_path / "engine.log").write_text("after rotation\n")
    console.print_new()
    assert output.getvalue().splitlines()[2:] == [
        "engine | half a line",
        "engine | after rotation",
    ]
    console.close()
