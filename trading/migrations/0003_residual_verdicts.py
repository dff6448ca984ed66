"""What was decided about a trade's residual, and what its risk day has counted of it."""

from decimal import Decimal

from django.db import migrations, models

# A closed trade's result stands in its day already.
COUNTED = """
UPDATE trading_trade SET day_pnl_usd = realised_pnl_usd
WHERE closed_ns IS NOT NULL AND realised_pnl_usd IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_fence_and_intent")]

    operations = [
        migrations.AddField(
            model_name="trade",
            name="day_pnl_usd",
            field=models.DecimalField(
                db_default=Decimal("0"), decimal_places=18, default=Decimal("0"), max_digits=38
            ),
        ),
        migrations.AddField(
            model_name="trade",
            name="verdicts",
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
        migrations.RunSQL(COUNTED, migrations.RunSQL.noop),
    ]
