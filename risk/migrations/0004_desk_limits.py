"""Limits of the whole desk, with a first version in force."""

from decimal import Decimal

from django.db import migrations, models
from django.utils import timezone

import arbsite.clock


def first_version(apps, schema_editor):
    now = timezone.now()
    apps.get_model("risk", "DeskLimits").objects.create(
        version=1,
        status="in_force",
        created_by="system",
        reason="first limits",
        created_at=now,
        in_force_at=now,
    )


class Migration(migrations.Migration):
    dependencies = [("risk", "0003_paper_day")]

    operations = [
        migrations.CreateModel(
            name="DeskLimits",
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
                ("scope", models.CharField(default="*", max_length=16)),
                ("version", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("proposed", "Waiting for approval"),
                            ("in_force", "In force"),
                            ("superseded", "Superseded"),
                            ("rejected", "Rejected"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "max_open_usd",
                    models.DecimalField(
                        decimal_places=18, default=Decimal(100_000), max_digits=38
                    ),
                ),
                (
                    "daily_notional_cap_usd",
                    models.DecimalField(
                        decimal_places=18, default=Decimal(10_000_000), max_digits=38
                    ),
                ),
                (
                    "fee_floor_sol",
                    models.DecimalField(decimal_places=9, default=Decimal("0.05"), max_digits=18),
                ),
                ("created_by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField()),
                ("in_force_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "desk limits",
                "ordering": ["-version"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("scope", "version"), name="desk_version_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "in_force")),
                        fields=("scope",),
                        name="desk_one_in_force",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("daily_notional_cap_usd__gte", 0),
                            ("fee_floor_sol__gte", 0),
                            ("max_open_usd__gte", 0),
                        ),
                        name="desk_no_negative",
                    ),
                ],
            },
        ),
        migrations.RunPython(first_version, migrations.RunPython.noop),
    ]
