"""Parameters and errors of JSON-RPC as the simulated node reads and writes them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from solders.pubkey import Pubkey

from feeds.sim.solana.view import COMMITMENTS, Commitment

Config = Mapping[str, object]


class RpcError(Exception):
    """An error object of JSON-RPC."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, object]:
        """The `error` member."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def invalid_params(what: str) -> RpcError:
    """The error for parameters a method cannot take."""
    return RpcError(-32602, f"Invalid params: {what}")


def config_of(params: list[object], place: int) -> Config:
    """The configuration object at a place of the parameters; empty when left out."""
    found = params[place] if len(params) > place else None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid_params("expected a configuration object")
    return found


def commitment_of(config: Config) -> Commitment:
    """The asked commitment; finalized by default, as everywhere in RPC."""
    asked = config.get("commitment", "finalized")
    for commitment in COMMITMENTS:
        if asked == commitment:
            return commitment
    raise invalid_params(f"unknown commitment {asked!r}")


def address_param(value: object) -> str:
    """A base58 address, checked."""
    try:
        return str(Pubkey.from_string(str(value)))
    except ValueError as bad:
        raise invalid_params("Invalid") from bad


def param_at(params: list[object], place: int) -> object:
    """A parameter that must be there."""
    if len(params) <= place:
        raise invalid_params("`params` should have at least one argument")
    return params[place]


def slice_of(config: Config) -> tuple[int, int] | None:
    """Check the encoding; return the data slice, None for whole accounts."""
    if config.get("encoding", "base64") != "base64":
        raise invalid_params("this node serves accounts in base64 only")
    part = config.get("dataSlice")
    if part is None:
        return None
    if not isinstance(part, dict):
        raise invalid_params("dataSlice")
    return int(part.get("offset", 0)), int(part.get("length", 0))


def wire_bytes(value: object, config: Config) -> bytes:
    """The transaction's bytes; nodes default to base58, which nobody should send."""
    encoding = config.get("encoding", "base58")
    if encoding != "base64":
        raise invalid_params("send transactions with encoding base64")
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as bad:
        raise invalid_params(f"invalid base64 encoding: {bad}") from bad
