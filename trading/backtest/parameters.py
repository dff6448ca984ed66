"""Parameter sets of a back-test: `name=value` words become settings, fees and model numbers.

Names are the fields of an asset's configuration, of the paper model (`landing.land_p`,
`kraken.p50_ms`, …) and `fee_tier`, the taker fee in bps. Pure; called by the commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, get_type_hints

import msgspec

from arbsite.errors import SetupError
from feeds.market.spec import MarketSpec
from trading.backtest.desk import DeskSetup
from trading.intent import AssetSettings
from trading.paper.ledger import Rebalancing
from trading.paper.model import PaperModel

FEE_TIER = "fee_tier"
REBALANCING = "rebalancing"
DEFAULT_FEE_BPS = Decimal(10)
_FIXED = frozenset({"asset", "version", "mode"})


def parameter_names() -> list[str]:
    """Everything that may be set, sorted."""
    names = [name for name in AssetSettings.__struct_fields__ if name not in _FIXED]
    names += [name for name, _ in _model_fields(PaperModel())]
    return sorted([*names, FEE_TIER, REBALANCING])


def parse_set(words: Iterable[str]) -> dict[str, str]:
    """Split `name=value` words; raises SetupError naming what is wrong and what exists."""
    found: dict[str, str] = {}
    known = set(parameter_names())
    for word in words:
        name, is_pair, value = word.partition("=")
        if not is_pair or not value:
            raise SetupError(f"{word!r} is not name=value.")
        if name not in known:
            raise SetupError(f"No parameter {name!r}; choose from {', '.join(sorted(known))}.")
        if name in found:
            raise SetupError(f"{name} is set twice in one column.")
        found[name] = value
    return found


def setup_from(
    values: Mapping[str, str],
    specs: Mapping[str, MarketSpec],
    *,
    kraken: Mapping[str, Decimal],
    solana: Mapping[str, Decimal],
    base: Mapping[str, AssetSettings] | None = None,
    label: str = "",
) -> DeskSetup:
    """Build a desk's setup; what is not set is the asset's `base` or the documented default."""
    settings = {}
    for asset in specs:
        first = (base or {}).get(asset) or AssetSettings(asset=asset, version=1)
        settings[asset] = _changed_settings(first, values)
    fee = values.get(FEE_TIER)
    taker = (_decimal(FEE_TIER, fee) if fee is not None else DEFAULT_FEE_BPS) / 10_000
    return DeskSetup(
        label=label or ", ".join(f"{k}={v}" for k, v in sorted(values.items())) or "as configured",
        settings=settings,
        taker={spec.cex_symbol: taker for spec in specs.values()},
        kraken=dict(kraken),
        solana=dict(solana),
        model=_changed_model(values),
        rebalancing=None if values.get(REBALANCING, "on") == "off" else Rebalancing(),
    )


def _changed_settings(first: AssetSettings, values: Mapping[str, str]) -> AssetSettings:
    kinds = get_type_hints(AssetSettings)
    changes = {
        name: _read(name, text, kinds[name])
        for name, text in values.items()
        if name in AssetSettings.__struct_fields__ and name not in _FIXED
    }
    return msgspec.structs.replace(first, **changes)


def _changed_model(values: Mapping[str, str]) -> PaperModel:
    model = PaperModel()
    for name, current in _model_fields(model):
        if name not in values:
            continue
        value = _read(name, values[name], type(current))
        part, _, field = name.rpartition(".")
        if part:
            inner = msgspec.structs.replace(getattr(model, part), **{field: value})
            model = msgspec.structs.replace(model, **{part: inner})
        else:
            model = msgspec.structs.replace(model, **{name: value})
    return model


def _model_fields(model: PaperModel) -> list[tuple[str, Any]]:
    found = []
    for name in PaperModel.__struct_fields__:
        value = getattr(model, name)
        if isinstance(value, msgspec.Struct):
            found += [(f"{name}.{f}", getattr(value, f)) for f in value.__struct_fields__]
        else:
            found.append((name, value))
    return found


def _read(name: str, text: str, kind: Any) -> object:
    """Read a value as what it replaces; SetupError when it is not one."""
    if kind is Decimal:
        return _decimal(name, text)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SetupError(f"{name}={text}: {error}.") from error


def _decimal(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise SetupError(f"{name}={text} is not a number.") from error
    if not value.is_finite() or value < 0:
        raise SetupError(f"{name}={text} must be a number of at least 0.")
    return value
