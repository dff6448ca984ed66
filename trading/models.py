"""Configurations, windows, decisions, trades and money: the truth about what we did.

The engine writes through `trading.storage.store` (async, fenced by the lease epoch); everybody
else reads through `trading.selectors`. Ordinary tables with unique keys: a hypertable
could not carry them. Times of the hot path are integer ns since 1970 UTC (`*_ns`).
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now

from arbsite.clock import uuid7
from trading.models_paper import PaperEntry as PaperEntry  # noqa: PLC0414 - a model of this app
from trading.models_paper import PaperTrade as PaperTrade  # noqa: PLC0414 - a model of this app
from trading.models_resolution import Resolution as Resolution  # noqa: PLC0414 - a model of this app
from trading.models_shared import BalanceAnchor as BalanceAnchor  # noqa: PLC0414 - of this app
from trading.models_shared import Reservation as Reservation  # noqa: PLC0414 - of this app
from trading.models_shared import SharedBalance as SharedBalance  # noqa: PLC0414


class AssetConfig(models.Model):
    """One version of one asset's configuration. Rows never change once in force.

    A tightening is put in force at once; a loosening waits as `proposed` for its
    approvals. Exactly one version per asset is in force.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Waiting for approval"
        IN_FORCE = "in_force", "In force"
        SUPERSEDED = "superseded", "Superseded"
        REJECTED = "rejected", "Rejected"

    class LegOrder(models.TextChoices):
        AUTO = "auto", "By policy"
        CONCURRENT = "concurrent", "Concurrent"
        DEX_FIRST = "dex_first", "Solana first"
        CEX_FIRST = "cex_first", "Kraken first"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    asset = models.CharField(max_length=16)
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=Status.choices)
    enabled = models.BooleanField(default=True)
    mode = models.CharField(max_length=16, default="live")
    leg_order = models.CharField(max_length=16, choices=LegOrder.choices, default=LegOrder.AUTO)
    min_edge_bps = models.DecimalField(max_digits=9, decimal_places=3, default=Decimal(2))
    min_profit_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal("0.25"))
    haircut_bps = models.DecimalField(max_digits=9, decimal_places=3, default=Decimal(1))
    slippage_cap_bps = models.DecimalField(max_digits=9, decimal_places=3, default=Decimal(30))
    max_notional_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(5000))
    cex_depth_cap = models.DecimalField(max_digits=6, decimal_places=4, default=Decimal("0.9"))
    dex_impact_cap_bps = models.DecimalField(max_digits=9, decimal_places=3, default=Decimal(100))
    daily_notional_cap_usd = models.DecimalField(
        max_digits=38, decimal_places=18, default=Decimal(1000000)
    )
    daily_loss_cap_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(500))
    daily_trades_cap = models.PositiveIntegerField(default=2000)
    max_frame_age_ms = models.PositiveIntegerField(default=1500)
    max_slot_lag = models.PositiveSmallIntegerField(default=2)
    cooldown_ms = models.PositiveIntegerField(default=0)
    intents_per_window = models.PositiveSmallIntegerField(default=1)
    cu_price_micro_lamports = models.PositiveBigIntegerField(default=100_000)
    tip_lamports = models.PositiveBigIntegerField(default=0)
    order_deadline_ms = models.PositiveIntegerField(default=1000)
    max_hedges = models.PositiveSmallIntegerField(default=3)
    max_naked_usd = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(7500))
    max_naked_s = models.PositiveIntegerField(default=120)
    inventory_band_pct = models.DecimalField(max_digits=6, decimal_places=3, default=Decimal(40))
    created_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    in_force_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["asset", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["asset", "version"], name="config_version_once"),
            models.UniqueConstraint(
                fields=["asset"],
                condition=models.Q(status="in_force"),
                name="config_one_in_force",
            ),
            models.CheckConstraint(
                condition=models.Q(cex_depth_cap__gt=0, cex_depth_cap__lte=1),
                name="config_depth_cap_fraction",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    min_edge_bps__gte=0,
                    min_profit_usd__gte=0,
                    haircut_bps__gte=0,
                    slippage_cap_bps__gte=0,
                    max_notional_usd__gte=0,
                    daily_notional_cap_usd__gte=0,
                    daily_loss_cap_usd__gte=0,
                    max_naked_usd__gte=0,
                    inventory_band_pct__gte=0,
                ),
                name="config_no_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} v{self.version} ({self.status})"


class EngineLease(models.Model):
    """Who may act for a shard. Every attempt write must carry the lease's epoch."""

    shard = models.CharField(max_length=32, primary_key=True)
    epoch = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=128, blank=True)
    heartbeat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.shard} epoch {self.epoch}"


class EngineStart(models.Model):
    """One start of the engine; three within ten minutes put it into OBSERVE.

    `at`: the lease was taken. The rest says how long it took, empty where the process ended
    before: `began_ns` the process (a standby's: the lease), `reconciled_ns` ready to decide,
    `settled_ns` the venues had proven what became of the trades found open. `stages`: when
    each stage of `trading.storage.start_record` ended, in ms since `began_ns`.
    """

    id = models.BigAutoField(primary_key=True)
    shard = models.CharField(max_length=32)
    epoch = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    began_ns = models.BigIntegerField(null=True, blank=True)
    reconciled_ns = models.BigIntegerField(null=True, blank=True)
    settled_ns = models.BigIntegerField(null=True, blank=True)
    stages = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.shard} epoch {self.epoch} at {self.at}"


class Window(models.Model):
    """The maximal interval in which one direction stayed an opportunity."""

    window_id = models.UUIDField(primary_key=True)
    version = models.PositiveIntegerField()
    asset = models.CharField(max_length=16)
    direction = models.CharField(max_length=32)
    opened_at_ns = models.BigIntegerField()
    closed_at_ns = models.BigIntegerField(null=True, blank=True)
    close_cause = models.CharField(max_length=32, blank=True)
    first_slot = models.BigIntegerField()
    last_slot = models.BigIntegerField()
    peak_value_usd = models.DecimalField(max_digits=38, decimal_places=18)
    value_seconds_usd = models.DecimalField(max_digits=38, decimal_places=18)
    best_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18)
    best_size_usd = models.DecimalField(max_digits=38, decimal_places=18)
    gross_bps = models.FloatField()
    net_bps = models.FloatField()
    limited_by = models.CharField(max_length=32, blank=True)
    intents = models.PositiveSmallIntegerField(default=0)
    is_eligible = models.BooleanField(default=False)
    blocked_by = models.CharField(max_length=64, blank=True)
    decision = models.CharField(max_length=16, blank=True)
    gate = models.CharField(max_length=64, blank=True)
    gate_value = models.CharField(max_length=64, blank=True)
    gate_limit = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-opened_at_ns"]
        indexes = [
            models.Index(fields=["asset", "-opened_at_ns"], name="window_by_asset"),
            models.Index(fields=["-opened_at_ns"], name="window_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.direction} {self.window_id}"


class Opportunity(models.Model):
    """A keyed decision (`exec.try`): sent, booked on paper, or only stored."""

    intent_key = models.UUIDField(primary_key=True)
    window_id = models.UUIDField()
    asset = models.CharField(max_length=16)
    direction = models.CharField(max_length=32)
    mode = models.CharField(max_length=16)
    size_base = models.DecimalField(max_digits=38, decimal_places=18)
    notional_usd = models.DecimalField(max_digits=38, decimal_places=18)
    expected_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18)
    config_version = models.PositiveIntegerField()
    decided_ns = models.BigIntegerField()
    intent = models.JSONField()
    # What both venues said of it when it was only stored (trading.process.sampling).
    sample = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-decided_ns"]
        indexes = [models.Index(fields=["-decided_ns"], name="opportunity_by_time")]

    def __str__(self) -> str:
        return f"{self.asset} {self.intent_key}"


class Trade(models.Model):
    """Two legs plus hedges of one intent.

    `is_settled`: both legs' outcomes are observed and the residual is dust, so the next
    trade may start; `closed` waits for the venues' own records (booking).
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        HEDGING = "hedging", "Hedging"
        CLOSED = "closed", "Closed"
        OPERATOR = "operator", "Needs an operator"

    id = models.UUIDField(primary_key=True)
    version = models.PositiveIntegerField(default=1)
    intent_key = models.UUIDField(unique=True)
    window_id = models.UUIDField()
    asset = models.CharField(max_length=16)
    direction = models.CharField(max_length=32)
    leg_order = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=State.choices)
    is_settled = models.BooleanField(default=False)
    outcome = models.CharField(max_length=16, default="pending")
    is_verified = models.BooleanField(default=False)
    config_version = models.PositiveIntegerField()
    size_base = models.DecimalField(max_digits=38, decimal_places=18)
    notional_usd = models.DecimalField(max_digits=38, decimal_places=18)
    expected_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18)
    realised_pnl_usd = models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True)
    residual_base = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    detect_ns = models.BigIntegerField()
    wired_ns = models.BigIntegerField(null=True, blank=True)
    both_filled_ns = models.BigIntegerField(null=True, blank=True)
    naked_from_ns = models.BigIntegerField(null=True, blank=True)
    naked_until_ns = models.BigIntegerField(null=True, blank=True)
    closed_ns = models.BigIntegerField(null=True, blank=True)
    risk_day = models.DateField()
    reason = models.CharField(max_length=500, blank=True)
    # The intent function inserts trades without naming these.
    day_pnl_usd = models.DecimalField(
        max_digits=38, decimal_places=18, default=Decimal(0), db_default=Decimal(0)
    )
    verdicts = models.JSONField(default=list, db_default=[], blank=True)

    class Meta:
        ordering = ["-detect_ns"]
        indexes = [
            models.Index(fields=["-detect_ns"], name="trade_by_time"),
            models.Index(fields=["asset", "-detect_ns"], name="trade_by_asset"),
            # What the desk-wide cap sums beside the unsettled ones; ordinary trades never pay.
            models.Index(
                fields=["asset"],
                condition=models.Q(state="operator", is_settled=False),
                name="trade_parked",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "direction"],
                condition=models.Q(state__in=["open", "hedging"], is_settled=False),
                name="trade_one_unsettled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.state} {self.id}"


class Attempt(models.Model):
    """One order or transaction of a leg: sent at most once (CEX), same bytes only (DEX)."""

    id = models.UUIDField(primary_key=True)
    # No index of its own: the constraint on (trade, leg, seq) begins with it.
    trade = models.ForeignKey(
        Trade, on_delete=models.PROTECT, related_name="attempts", db_index=False
    )
    shard = models.CharField(max_length=32, default="main")
    leg = models.CharField(max_length=8)
    seq = models.PositiveSmallIntegerField()
    venue = models.CharField(max_length=16)
    side = models.CharField(max_length=8)
    qty = models.DecimalField(max_digits=38, decimal_places=18)
    limit_price = models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True)
    state = models.CharField(max_length=16)
    epoch = models.PositiveBigIntegerField()
    cl_ord_id = models.CharField(max_length=64, null=True, blank=True)
    order_id = models.CharField(max_length=64, blank=True)
    deadline_ns = models.BigIntegerField(null=True, blank=True)
    signature = models.CharField(max_length=96, null=True, blank=True)
    raw_tx = models.BinaryField(null=True, blank=True)
    last_valid_height = models.BigIntegerField(null=True, blank=True)
    threshold_raw = models.DecimalField(max_digits=39, decimal_places=0, null=True, blank=True)
    sent_ns = models.BigIntegerField(null=True, blank=True)
    acked_ns = models.BigIntegerField(null=True, blank=True)
    filled_ns = models.BigIntegerField(null=True, blank=True)
    filled_base = models.DecimalField(max_digits=38, decimal_places=18, default=Decimal(0))
    is_booked = models.BooleanField(default=False)
    evidence = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["trade", "leg", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["trade", "leg", "seq"], name="attempt_seq_once"),
            # Not `unique=True`, which brings a second index for LIKE.
            models.UniqueConstraint(fields=["cl_ord_id"], name="attempt_order_once"),
            models.UniqueConstraint(fields=["signature"], name="attempt_bytes_once"),
            models.UniqueConstraint(
                fields=["trade", "leg"],
                condition=models.Q(state__in=["planned", "sending", "unknown", "acked"]),
                name="attempt_one_live_per_leg",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leg}#{self.seq} {self.state}"


class Fill(models.Model):
    """One execution by the venue's own id: seen (`observed`), then on record (`booked`)."""

    class Status(models.TextChoices):
        OBSERVED = "observed", "Observed"
        BOOKED = "booked", "Booked"

    id = models.UUIDField(primary_key=True)
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="fills")
    venue = models.CharField(max_length=16)
    venue_fill_id = models.CharField(max_length=96)
    status = models.CharField(max_length=16, choices=Status.choices)
    base_delta = models.DecimalField(max_digits=38, decimal_places=18)
    quote_delta = models.DecimalField(max_digits=38, decimal_places=18)
    quote_asset = models.CharField(max_length=16)
    fee = models.DecimalField(max_digits=38, decimal_places=18)
    fee_asset = models.CharField(max_length=16)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["venue", "venue_fill_id"], name="fill_once_per_venue_id"
            )
        ]

    def __str__(self) -> str:
        return f"{self.venue} {self.venue_fill_id} {self.status}"


class LedgerEntry(models.Model):
    """One change of one of our balances, booked from a venue record. Append-only.

    `venue_asset` is the venue's own name: a Kraken asset, a mint, or "SOL" for lamports.
    Σ per venue asset equals the venue's own balance change, to the last unit.
    """

    class Kind(models.TextChoices):
        TRADE = "trade", "Trade"
        FEE = "fee", "Fee"
        TIP = "tip", "Tip"

    id = models.BigAutoField(primary_key=True)
    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="ledger")
    venue = models.CharField(max_length=16)
    venue_asset = models.CharField(max_length=44)
    asset = models.CharField(max_length=16)
    delta = models.DecimalField(max_digits=38, decimal_places=18)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    reference = models.CharField(max_length=96)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["venue", "reference", "venue_asset", "kind"], name="ledger_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.venue} {self.venue_asset} {self.delta}"


class Markout(models.Model):
    """Where the base asset's mark stood at a trade's settlement, and seconds after it.

    A middle of the Kraken book in USD. A horizon at which the book was unusable, or the
    engine away, has no row.
    """

    id = models.BigAutoField(primary_key=True)
    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="markouts")
    horizon_s = models.PositiveSmallIntegerField()
    mark_usd = models.DecimalField(max_digits=38, decimal_places=18)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trade", "horizon_s"], name="markout_once")]

    def __str__(self) -> str:
        return f"{self.trade_id} +{self.horizon_s} s"


class Outbox(models.Model):
    """Bus messages written in the transaction they report; the relay sends them on."""

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=64)
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(sent_at__isnull=True), name="outbox_unsent"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} #{self.id}"
