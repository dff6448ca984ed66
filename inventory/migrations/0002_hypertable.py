"""Balance samples become a hypertable where TimescaleDB is present."""

from django.db import migrations

from arbsite.hypertables import CreateHypertable


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [CreateHypertable("BalanceSnapshot", "at", "7 days")]
