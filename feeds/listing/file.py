"""The market file: what an operator says may be traded, before anybody has checked it.

TOML, one `[[market]]` table per asset. Every address in it is a claim; `verify` holds the
claims against the chain and the exchange. Read by `manage.py sync_markets`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from arbsite.errors import SetupError
from feeds.sim import seeding

PoolKind = Literal["whirlpool", "cpmm", "ammv4"]


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One asset's claim: Kraken pair (v2 name), pool, both mints, and whose word it is."""

    asset: str
    cex_symbol: str
    pool_kind: PoolKind
    pool: str
    pool_quote: str
    base_mint: str
    quote_mint: str
    source: str

    @property
    def cex_quote(self) -> str:
        """The asset a Kraken price of this pair is in."""
        return self.cex_symbol.partition("/")[2]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    market: list[Listing] = []


def read(path: Path) -> list[Listing]:
    """Parse a market file; SetupError names the line or the field that is wrong."""
    try:
        document = tomllib.loads(path.read_text())
        listings = msgspec.convert(document, _File).market
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SetupError(f"{path}: {error}.") from error
    for name in ("asset", "cex_symbol", "pool"):
        values = [getattr(listing, name) for listing in listings]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise SetupError(f"{path}: {name} {', '.join(sorted(twice))} stands there twice.")
    return listings


def of_the_simulator() -> list[Listing]:
    """Return what the simulated world offers, said the way a market file says it."""
    return [
        Listing(
            asset=market.spec.asset,
            cex_symbol=market.spec.cex_symbol,
            pool_kind=market.spec.pool_kind,
            pool=market.spec.pool,
            pool_quote=market.spec.pool_quote,
            base_mint=market.spec.base_mint,
            quote_mint=market.spec.quote_mint,
            source="simulator",
        )
        for market in seeding.simulated_markets()
    ]
