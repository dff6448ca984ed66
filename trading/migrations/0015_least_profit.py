"""New configurations ask for a quarter of a dollar a trade (decision 0025); stored ones keep theirs."""

from decimal import Decimal

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0014_orders_wake_once")]

    operations = [
        migrations.AlterField(
            model_name="assetconfig",
            name="min_profit_usd",
            field=models.DecimalField(decimal_places=18, default=Decimal("0.25"), max_digits=38),
        ),
    ]
