"""What people order for a trade; the engine is woken when a row comes or changes."""

import django.db.models.deletion
from django.db import migrations, models

import arbsite.clock

WAKE_UP = """
CREATE TRIGGER trading_resolution_notify AFTER INSERT OR UPDATE ON trading_resolution
    FOR EACH STATEMENT EXECUTE FUNCTION trading_notify('resolution');
"""
WAKE_UP_OFF = "DROP TRIGGER trading_resolution_notify ON trading_resolution;"


class Migration(migrations.Migration):
    dependencies = [("trading", "0003_residual_verdicts")]

    operations = [
        migrations.CreateModel(
            name="Resolution",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=arbsite.clock.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("preview", "Price a flatten"),
                            ("flatten", "Flatten now"),
                            ("attach", "Attach a venue record"),
                            ("keep", "Keep as inventory"),
                            ("prove", "Run the proof again"),
                            ("stop_resending", "Stop re-sending"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting for a second person"),
                            ("requested", "Waiting for the engine"),
                            ("taken", "Being carried out"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                    ),
                ),
                ("venue", models.CharField(blank=True, max_length=16)),
                ("reference", models.CharField(blank=True, max_length=96)),
                ("detail", models.JSONField(blank=True, default=dict)),
                ("user", models.CharField(max_length=150)),
                ("idempotency_key", models.CharField(max_length=64)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("approved_by", models.CharField(blank=True, max_length=150)),
                ("epoch", models.PositiveBigIntegerField(blank=True, null=True)),
                ("answer", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "trade",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resolutions",
                        to="trading.trade",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "idempotency_key"), name="resolution_once_per_key"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["waiting", "requested", "taken"])),
                        fields=("trade",),
                        name="resolution_one_open_per_trade",
                    ),
                ],
            },
        ),
        migrations.RunSQL(WAKE_UP, WAKE_UP_OFF),
    ]
