"""Markets: which asset trades where, and every address a quote or a swap needs.

One row per asset, written by `manage.py seed` (simulator) and `manage.py sync_markets`. The
engine takes only rows that are enabled and verified against the exchange and the chain; the
reason why another one is not stands in the row.
"""

from __future__ import annotations

from django.db import models

from feeds.market.spec import MarketSpec


class Market(models.Model):
    """One asset's Kraken pair and Solana pool, as last verified."""

    class PoolKind(models.TextChoices):
        WHIRLPOOL = "whirlpool", "Orca Whirlpool"
        CPMM = "cpmm", "Raydium CPMM"
        AMMV4 = "ammv4", "Raydium AMM v4"

    asset = models.CharField(max_length=16, primary_key=True)
    cex_symbol = models.CharField(max_length=32, unique=True)
    cex_quote = models.CharField(max_length=8)
    price_precision = models.PositiveSmallIntegerField()
    qty_precision = models.PositiveSmallIntegerField()
    price_increment_ticks = models.PositiveBigIntegerField(default=1)
    qty_increment_lots = models.PositiveBigIntegerField(default=1)
    qty_min_lots = models.PositiveBigIntegerField()
    cost_min = models.DecimalField(max_digits=38, decimal_places=18)

    pool = models.CharField(max_length=44, unique=True)
    pool_kind = models.CharField(max_length=16, choices=PoolKind.choices)
    pool_quote = models.CharField(max_length=8)
    base_mint = models.CharField(max_length=44)
    quote_mint = models.CharField(max_length=44)
    base_is_a = models.BooleanField()
    base_decimals = models.PositiveSmallIntegerField()
    quote_decimals = models.PositiveSmallIntegerField()
    vault_a = models.CharField(max_length=44)
    vault_b = models.CharField(max_length=44)
    tick_spacing = models.PositiveIntegerField(null=True, blank=True)
    amm_config = models.CharField(max_length=44, blank=True)
    observation = models.CharField(max_length=44, blank=True)

    is_enabled = models.BooleanField(default=True)
    is_verified = models.BooleanField(default=False)
    source = models.CharField(max_length=64, help_text="Where the addresses came from")
    verified_at = models.DateTimeField(null=True, blank=True)
    verified_slot = models.PositiveBigIntegerField(null=True, blank=True)
    refusal = models.CharField(
        max_length=300, blank=True, help_text="Why the last check refused it; empty when it passed"
    )

    class Meta:
        ordering = ["asset"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(qty_min_lots__gt=0), name="market_qty_min_positive"
            )
        ]

    def __str__(self) -> str:
        return f"{self.asset} ({self.cex_symbol} / {self.pool_kind})"

    @property
    def spec(self) -> MarketSpec:
        """The pure picture of this row that the core works with."""
        return MarketSpec(
            asset=self.asset,
            cex_symbol=self.cex_symbol,
            cex_quote=self.cex_quote,
            price_precision=self.price_precision,
            qty_precision=self.qty_precision,
            price_increment_ticks=self.price_increment_ticks,
            qty_increment_lots=self.qty_increment_lots,
            qty_min_lots=self.qty_min_lots,
            cost_min=format(self.cost_min, "f"),
            pool=self.pool,
            pool_kind=self.pool_kind,  # type: ignore[arg-type]
            pool_quote=self.pool_quote,
            base_mint=self.base_mint,
            quote_mint=self.quote_mint,
            base_is_a=self.base_is_a,
            base_decimals=self.base_decimals,
            quote_decimals=self.quote_decimals,
        )
