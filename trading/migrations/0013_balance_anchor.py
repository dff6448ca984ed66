"""From where on our records must explain each balance."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0012_lean_intent")]

    operations = [
        migrations.CreateModel(
            name="BalanceAnchor",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("venue", models.CharField(max_length=16)),
                ("venue_asset", models.CharField(max_length=44)),
                ("balance", models.DecimalField(decimal_places=18, max_digits=38)),
                ("ledger_id", models.BigIntegerField()),
                ("at_ns", models.BigIntegerField()),
                (
                    "disputed",
                    models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("venue", "venue_asset"), name="anchor_once")
                ],
            },
        ),
    ]
