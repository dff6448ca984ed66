"""The served simulator: a real process, real sockets, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from feeds.sim import seeding

REPOSITORY = Path(__file__).resolve().parents[4]


class Served:
    """One `run_simulator` process."""

    def __init__(self, home: Path, *, kraken_port: int = 0) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable, "manage.py", "run_simulator", "--scenario", "busy", "--seed", "7",
                "--home", str(home), "--kraken-port", str(kraken_port), "--solana-port-a", "0",
                "--solana-port-b", "0", "--jupiter-port", "0",
            ],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "arbsite.settings_test"},
        )  # fmt: skip
        line = self.process.stdout.readline()
        self.urls = json.loads(line) if line else {}

    def get(self, path: str, node: str = "sim-a"):
        with urllib.request.urlopen(self.urls[node] + path, timeout=5) as answer:
            return json.load(answer)

    def rpc(self, method: str, *params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = urllib.request.Request(
            self.urls["sim-a"], json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)["result"]

    def wait_for_slot(self, slot: int) -> int:
        while True:
            now = self.rpc("getSlot", {"commitment": "processed"})
            if now >= slot:
                return now

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=5)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


@pytest.mark.slow
def test_a_killed_simulator_comes_back_as_after_an_outage(tmp_path):
    first = Served(tmp_path)
    opened = first.rpc("getSlot", {"commitment": "processed"})
    first.wait_for_slot(opened + 5)
    before = first.get("/sim/truth/summary")
    ledger = first.get("/sim/truth/ledger?account=" + before["solana"]["account"])
    height = first.rpc("getBlockHeight", {"commitment": "processed"})
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = Served(tmp_path)
    after = second.get("/sim/truth/summary", "kraken")
    assert after["starts"] == 2
    assert after["kraken"]["balances"] == before["kraken"]["balances"]
    assert after["solana"]["balances"] == before["solana"]["balances"]
    assert after["solana"]["slot"] > before["solana"]["slot"]
    assert second.rpc("getBlockHeight", {"commitment": "processed"}) > height
    pair = f"inputMint={seeding.WSOL_MINT}&outputMint={seeding.USDC_MINT}"
    routed = second.get(f"/swap/v1/quote?{pair}&amount=1000000000", "jupiter")
    assert routed["routePlan"][0]["swapInfo"]["label"] == "Whirlpool"
    assert second.get("/sim/truth/ledger?account=" + before["solana"]["account"]) == ledger
    assert second.get("/sim/faults")["solana.stall"] is False
    assert second.get("/0/public/SystemStatus", "kraken")["result"]["status"] == "online"
    asked = time.monotonic()
    assert second.end(signal.SIGTERM) == 0
    assert time.monotonic() - asked < 2.0


@pytest.mark.slow
def test_a_taken_port_is_one_clear_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        served = Served(tmp_path, kraken_port=taken.getsockname()[1])
        code = served.process.wait(timeout=10)
        text = served.process.stderr.read()
        served.process.stdout.close()
        served.process.stderr.close()
    assert code == 1
    assert "cannot be used" in text
    assert "Traceback" not in text
