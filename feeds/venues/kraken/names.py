"""Kraken's several names of one thing, brought to the v2 name.

REST says `XXBTZUSD`, `XBTUSD` or `XBT/USD` for what the socket calls `BTC/USD`, and `ZUSD`
for USD. The mapping is read from the venue's own lists, never guessed from letters: a
leading X or Z belongs to some names. Called by `account`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from arbsite.errors import FeedCorrupt

_V2_CODES = {"XBT": "BTC", "XDG": "DOGE"}
# Rewards accrue under this suffix and are sold by the base name; others are locked.
_SELLABLE_SUFFIXES = frozenset({"", "F"})


class _WireAsset(msgspec.Struct):
    altname: str


class _WirePair(msgspec.Struct):
    altname: str
    wsname: str = ""


def _v2_code(code: str) -> str:
    return _V2_CODES.get(code, code)


class NameBook:
    """REST names to v2 names, for pairs and assets."""

    def __init__(self, assets: Mapping[str, str], pairs: Mapping[str, str]) -> None:
        self._assets = dict(assets)
        self._pairs = dict(pairs)

    @classmethod
    def from_results(cls, assets: bytes, pairs: bytes) -> NameBook:
        """Read the results of `Assets` and `AssetPairs`. FeedCorrupt when malformed."""
        try:
            wire_assets = msgspec.json.decode(assets, type=dict[str, _WireAsset])
            wire_pairs = msgspec.json.decode(pairs, type=dict[str, _WirePair])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FeedCorrupt(f"malformed name lists: {error}") from error
        symbols: dict[str, str] = {}
        for key, pair in wire_pairs.items():
            base, slash, quote = pair.wsname.partition("/")
            if not slash:
                continue
            symbol = f"{_v2_code(base)}/{_v2_code(quote)}"
            symbols |= {key: symbol, pair.altname: symbol, pair.wsname: symbol, symbol: symbol}
        codes = {key: _v2_code(asset.altname) for key, asset in wire_assets.items()}
        return cls(codes, symbols)

    def symbol(self, pair: str) -> str | None:
        """The v2 symbol of a REST pair name, None when not listed."""
        return self._pairs.get(pair)

    def sellable_asset(self, name: str) -> str | None:
        """The v2 asset whose orders can use this balance, None for locked kinds.

        A name that is not listed is its own name: new assets need no translation.
        """
        base, _, suffix = name.partition(".")
        if suffix not in _SELLABLE_SUFFIXES:
            return None
        return self._assets.get(base, _v2_code(base))
