"""The simulator's fault page as a chaos run uses it: one knob, all knobs, none."""

from __future__ import annotations

import http.client
import json
from typing import Any

from arbsite.errors import SetupError
from reports.chaos.plan import Act

PATH = "/sim/faults"
TIMEOUT_S = 5.0


class FaultPage:
    """`/sim/faults` of the simulated venues on this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._normal: dict[str, Any] = {}

    def open(self) -> None:
        """Put every knob back and remember how it stands; SetupError when nobody answers."""
        try:
            self._ask("DELETE")
            self._normal = self._ask("GET")
        except OSError as error:
            raise SetupError(
                f"No simulator answers on port {self._port}: start a desk with `manage.py up`."
            ) from error

    def turn(self, act: Act) -> bool:
        """Turn one knob for the act's time; False while the simulator is away."""
        order = {"name": act.name, "value": act.value, "seconds": act.seconds}
        try:
            self._ask("POST", order)
        except OSError:
            return False
        return True

    def on(self) -> list[str]:
        """Names of the knobs that stand otherwise than normal; none while it is away."""
        try:
            now = self._ask("GET")
        except OSError:
            return []
        return [name for name, value in now.items() if value != self._normal.get(name)]

    def reset(self) -> bool:
        """Put every knob back; False while the simulator is away."""
        try:
            self._ask("DELETE")
        except OSError:
            return False
        return True

    def _ask(self, method: str, body: Any = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, PATH, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            answer: dict[str, Any] = json.loads(reply.read())
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        if reply.status != http.client.OK:
            raise SetupError(f"The simulator refuses {body}: {answer.get('error', reply.status)}.")
        return answer
