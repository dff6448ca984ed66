"""What a new desk starts with: markets, configurations, controls, keys of the simulator.

Called by `manage.py seed` (and through it by `up`). Idempotent: existing rows and files are
left alone. Only the `sim` profile gets markets and keys; every other profile starts empty
and in OBSERVE.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from arbsite.clock import utc_now
from feeds.market.pools import CpmmPool, Whirlpool
from feeds.models import Market
from feeds.sim import seeding as world
from risk import desk_limits
from risk import services as risk
from trading.models import AssetConfig

SYSTEM = "system"
# 0.001 SOL: what several competitors bid for the same slot at most.
SIMULATED_TIP_CEILING = 1_000_000
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@transaction.atomic
def seed_simulated_desk() -> list[str]:
    """Write the simulator's markets with a first configuration each; returns new assets."""
    created = []
    for market in world.simulated_markets():
        spec, pool = market.spec, market.pool
        _, is_new = Market.objects.get_or_create(
            asset=spec.asset,
            defaults={
                "cex_symbol": spec.cex_symbol,
                "cex_quote": spec.cex_quote,
                "price_precision": spec.price_precision,
                "qty_precision": spec.qty_precision,
                "price_increment_ticks": spec.price_increment_ticks,
                "qty_increment_lots": spec.qty_increment_lots,
                "qty_min_lots": spec.qty_min_lots,
                "cost_min": Decimal(spec.cost_min),
                "pool": spec.pool,
                "pool_kind": spec.pool_kind,
                "pool_quote": spec.pool_quote,
                "base_mint": spec.base_mint,
                "quote_mint": spec.quote_mint,
                "base_is_a": spec.base_is_a,
                "base_decimals": spec.base_decimals,
                "quote_decimals": spec.quote_decimals,
                "vault_a": pool.vault_a,
                "vault_b": pool.vault_b,
                "tick_spacing": pool.tick_spacing if isinstance(pool, Whirlpool) else None,
                "amm_config": pool.amm_config if isinstance(pool, CpmmPool) else "",
                "observation": pool.observation if isinstance(pool, CpmmPool) else "",
                "is_verified": True,
                "source": "simulator",
                "verified_at": utc_now(),
            },
        )
        if is_new:
            created.append(spec.asset)
        seed_first_config(spec.asset, tip_lamports=SIMULATED_TIP_CEILING)
    return created


def seed_first_config(asset: str, *, tip_lamports: int) -> None:
    """Version 1 of an asset's configuration with the documented defaults, in force.

    `tip_lamports` is the most a swap may tip; the engine bids less where less will do.
    """
    now = utc_now()
    AssetConfig.objects.get_or_create(
        asset=asset,
        version=1,
        defaults={
            "status": AssetConfig.Status.IN_FORCE,
            "tip_lamports": tip_lamports,
            "created_by": SYSTEM,
            "reason": "first configuration",
            "created_at": now,
            "in_force_at": now,
        },
    )


def seed_controls() -> str:
    """First mode of the engine: LIVE on a loopback simulator, OBSERVE everywhere else."""
    live = settings.IS_SIM and _is_loopback_only()
    mode = "live" if live else "observe"
    why = "simulated venues on loopback" if live else "first boot"
    risk.set_first_mode(risk.WHOLE_ENGINE, mode, actor=SYSTEM, reason=why)
    desk_limits.seed_first()
    for asset in Market.objects.values_list("asset", flat=True):
        # An asset's own row only ever tightens; the whole engine's row says LIVE or not.
        risk.set_first_mode(asset, "live", actor=SYSTEM, reason="follows the engine")
    return mode


def write_simulated_keys() -> None:
    """The worthless keys of the simulated accounts, as files like real ones (0600)."""
    credentials = world.simulated_credentials()
    _write_once(
        Path(settings.KRAKEN_KEY_FILE),
        {"key": credentials.kraken_key, "secret": credentials.kraken_secret},
    )
    _write_once(Path(settings.WALLET_FILE), list(credentials.wallet_secret))


def _write_once(path: Path, content: object) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)


def _is_loopback_only() -> bool:
    urls = [settings.KRAKEN_REST_URL, settings.KRAKEN_WS_URL, settings.KRAKEN_WS_AUTH_URL]
    for _label, _provider, http_url, ws_url in settings.SOLANA_ENDPOINTS:
        urls += [http_url, ws_url]
    return all(urlsplit(url).hostname in LOOPBACK for url in urls)
