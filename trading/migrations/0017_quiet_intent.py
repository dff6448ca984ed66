"""The commit that an order waits for wakes nobody else.

Every insert into the outbox woke the relay, whose own transaction then shared the cores with
the two messages about to leave. A LIVE decision is soon followed by what becomes of its trade,
and that row wakes the relay for both (it looks every second besides); a decision that is only
stored wakes it itself.
"""

from django.db import migrations

QUIET = """
DROP TRIGGER trading_outbox_notify ON trading_outbox;
CREATE TRIGGER trading_outbox_notify AFTER INSERT ON trading_outbox
    FOR EACH ROW WHEN (NEW.subject NOT LIKE 'exec.try.%')
    EXECUTE FUNCTION trading_notify('outbox');
CREATE TRIGGER trading_opportunity_notify AFTER INSERT ON trading_opportunity
    FOR EACH ROW WHEN (NEW.mode <> 'live') EXECUTE FUNCTION trading_notify('outbox');
"""
QUIET_OFF = """
DROP TRIGGER trading_opportunity_notify ON trading_opportunity;
DROP TRIGGER trading_outbox_notify ON trading_outbox;
CREATE TRIGGER trading_outbox_notify AFTER INSERT ON trading_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION trading_notify('outbox');
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0016_reserve_by_index")]

    operations = [migrations.RunSQL(QUIET, QUIET_OFF)]
