"""Only an order that the engine is to take wakes it.

The trigger of 0004 fired for each statement, also for those that touch no row: an engine
that looked for orders woke itself to look again, a thousand times a second.
"""

from importlib import import_module

from django.db import migrations

RESOLUTION = import_module("trading.migrations.0004_resolution")

WAKE_UP = """
CREATE TRIGGER trading_resolution_notify AFTER INSERT OR UPDATE ON trading_resolution
    FOR EACH ROW WHEN (NEW.state = 'requested') EXECUTE FUNCTION trading_notify('resolution');
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0013_balance_anchor")]

    operations = [
        migrations.RunSQL(
            RESOLUTION.WAKE_UP_OFF + WAKE_UP, RESOLUTION.WAKE_UP_OFF + RESOLUTION.WAKE_UP
        ),
    ]
