"""Contestant: nothing but msgspec's typed decode of the same frames.

`floor.py FRAMES raw` keeps each number's text (msgspec.Raw), which any exact book must;
`floor.py FRAMES float` parses floats. The floor that the other figures are ratios of.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from stage import serve


def decoder(number: Any) -> msgspec.json.Decoder[Any]:
    """A decoder of book frames whose numbers are of that type."""
    level = msgspec.defstruct("Level", [("price", number), ("qty", number)], gc=False)
    entry = msgspec.defstruct(
        "Entry",
        [
            ("symbol", str),
            ("checksum", int),
            ("bids", list[level]),  # type: ignore[valid-type]
            ("asks", list[level]),  # type: ignore[valid-type]
            ("timestamp", str, ""),
        ],
        gc=False,
    )
    frame = msgspec.defstruct(
        "Frame",
        [("type", str), ("data", list[entry])],  # type: ignore[valid-type]
        gc=False,
    )
    return msgspec.json.Decoder(frame)


def main() -> None:
    """Serve turns of decoding alone."""
    decode = decoder(msgspec.Raw if sys.argv[2] == "raw" else float).decode

    def turn(frames: list[bytes]) -> int:
        for frame in frames:
            decode(frame)
        return 0

    serve(turn, f"msgspec {msgspec.__version__}")


if __name__ == "__main__":
    main()
