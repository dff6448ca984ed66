"""The database's half of exactly-once: the epoch fence, the intent function, the wake-ups.

Names of tables are those of the models; the functions are created with CREATE OR REPLACE so
that a later migration can install a new body.
"""

from django.db import migrations

FENCE = """
CREATE OR REPLACE FUNCTION trading_fence_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
BEGIN
    -- FOR SHARE: a takeover's epoch bump waits for this transaction and the other way round.
    SELECT epoch INTO held FROM trading_enginelease WHERE shard = NEW.shard FOR SHARE;
    IF held IS DISTINCT FROM NEW.epoch THEN
        RAISE EXCEPTION 'fenced: shard % is at epoch %, this writer holds %',
            NEW.shard, held, NEW.epoch USING ERRCODE = 'SPF01';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trading_attempt_fence BEFORE INSERT OR UPDATE ON trading_attempt
    FOR EACH ROW EXECUTE FUNCTION trading_fence_attempt();
"""
UNFENCE = """
DROP TRIGGER trading_attempt_fence ON trading_attempt;
DROP FUNCTION trading_fence_attempt();
"""

APPEND_ONLY = """
CREATE OR REPLACE FUNCTION trading_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'SPA01';
END $$;
CREATE TRIGGER trading_ledgerentry_append_only BEFORE UPDATE OR DELETE ON trading_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION trading_refuse_change();
"""
APPEND_ONLY_OFF = """
DROP TRIGGER trading_ledgerentry_append_only ON trading_ledgerentry;
DROP FUNCTION trading_refuse_change();
"""

# Locks in the order of the protocol: lease, control, risk day, trade, attempt.
RECORD_INTENT = """
CREATE OR REPLACE FUNCTION trading_record_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := p -> 'opportunity';
    t jsonb := p -> 'trade';
    v_asset text := o ->> 'asset';
    v_key uuid := (o ->> 'intent_key')::uuid;
    v_notional numeric := (o ->> 'notional_usd')::numeric;
    v_epoch bigint;
    v_blocking text;
    v_config integer;
    v_day record;
BEGIN
    SELECT epoch INTO v_epoch FROM trading_enginelease WHERE shard = p ->> 'shard' FOR SHARE;
    IF v_epoch IS DISTINCT FROM (p ->> 'epoch')::bigint THEN
        RAISE EXCEPTION 'fenced: shard % is at epoch %, this writer holds %',
            p ->> 'shard', v_epoch, p ->> 'epoch' USING ERRCODE = 'SPF01';
    END IF;
    IF EXISTS (SELECT 1 FROM trading_opportunity WHERE intent_key = v_key) THEN
        RETURN 'duplicate';
    END IF;

    IF jsonb_typeof(t) = 'object' THEN
        PERFORM 1 FROM risk_control WHERE scope = '*' FOR SHARE;
        IF NOT FOUND THEN
            RETURN 'mode:unknown';
        END IF;
        PERFORM 1 FROM risk_control WHERE scope = v_asset FOR SHARE;
        SELECT scope || ' ' || CASE WHEN mode <> 'live' THEN mode ELSE 'tripped' END
            INTO v_blocking FROM risk_control
            WHERE scope IN ('*', v_asset) AND (mode <> 'live' OR trips <> '{}'::jsonb)
            ORDER BY scope LIMIT 1;
        IF v_blocking IS NOT NULL THEN
            RETURN 'mode:' || v_blocking;
        END IF;
        SELECT version INTO v_config FROM trading_assetconfig
            WHERE asset = v_asset AND status = 'in_force' AND enabled AND mode = 'live';
        IF v_config IS DISTINCT FROM (o ->> 'config_version')::integer THEN
            RETURN 'config';
        END IF;

        INSERT INTO risk_riskday (day, asset, notional_used, notional_reserved, realised, trades)
            VALUES ((t ->> 'risk_day')::date, v_asset, 0, 0, 0, 0)
            ON CONFLICT (day, asset) DO NOTHING;
        SELECT * INTO v_day FROM risk_riskday
            WHERE day = (t ->> 'risk_day')::date AND asset = v_asset FOR UPDATE;
        IF v_day.notional_used + v_day.notional_reserved + v_notional
                > (p -> 'caps' ->> 'notional')::numeric THEN
            RETURN 'cap:daily_notional';
        ELSIF -v_day.realised >= (p -> 'caps' ->> 'loss')::numeric THEN
            RETURN 'cap:daily_loss';
        ELSIF v_day.trades >= (p -> 'caps' ->> 'trades')::integer THEN
            RETURN 'cap:daily_trades';
        END IF;
    END IF;

    INSERT INTO trading_opportunity (intent_key, window_id, asset, direction, mode, size_base,
            notional_usd, expected_pnl_usd, config_version, decided_ns, intent)
        VALUES (v_key, (o ->> 'window_id')::uuid, v_asset, o ->> 'direction', o ->> 'mode',
            (o ->> 'size_base')::numeric, v_notional, (o ->> 'expected_pnl_usd')::numeric,
            (o ->> 'config_version')::integer, (o ->> 'decided_ns')::bigint, o -> 'intent');

    IF jsonb_typeof(t) = 'object' THEN
        UPDATE risk_riskday SET notional_reserved = notional_reserved + v_notional,
            trades = trades + 1 WHERE id = v_day.id;
        INSERT INTO trading_trade (id, version, intent_key, window_id, asset, direction,
                leg_order, state, is_settled, outcome, is_verified, config_version, size_base,
                notional_usd, expected_pnl_usd, residual_base, detect_ns, risk_day, reason)
            VALUES ((t ->> 'id')::uuid, 1, v_key, (o ->> 'window_id')::uuid, v_asset,
                o ->> 'direction', t ->> 'leg_order', 'open', false, 'pending', false,
                (o ->> 'config_version')::integer, (o ->> 'size_base')::numeric, v_notional,
                (o ->> 'expected_pnl_usd')::numeric, 0, (t ->> 'detect_ns')::bigint,
                (t ->> 'risk_day')::date, '');
        INSERT INTO trading_attempt (id, trade_id, shard, leg, seq, venue, side, qty, limit_price,
                state, epoch, cl_ord_id, order_id, deadline_ns, signature, raw_tx,
                last_valid_height, threshold_raw, sent_ns, filled_base, is_booked, evidence)
            SELECT (a ->> 'id')::uuid, (t ->> 'id')::uuid, p ->> 'shard', a ->> 'leg',
                (a ->> 'seq')::smallint, a ->> 'venue', a ->> 'side', (a ->> 'qty')::numeric,
                (a ->> 'limit_price')::numeric, a ->> 'state', (p ->> 'epoch')::bigint,
                a ->> 'cl_ord_id', '', (a ->> 'deadline_ns')::bigint, a ->> 'signature',
                decode(a ->> 'raw_tx', 'base64'), (a ->> 'last_valid_height')::bigint,
                (a ->> 'threshold_raw')::numeric, (a ->> 'sent_ns')::bigint, 0, false, '[]'::jsonb
            FROM jsonb_array_elements(p -> 'attempts') AS a;
    END IF;
    -- With its intent, so that the next engine finds this window fired at, whenever we die.
    IF jsonb_typeof(p -> 'window') = 'object' THEN
        INSERT INTO trading_window
            SELECT (jsonb_populate_record(NULL::trading_window, p -> 'window')).*
            ON CONFLICT (window_id) DO UPDATE SET
            version = EXCLUDED.version, asset = EXCLUDED.asset,
            direction = EXCLUDED.direction, opened_at_ns = EXCLUDED.opened_at_ns,
            closed_at_ns = EXCLUDED.closed_at_ns, close_cause = EXCLUDED.close_cause,
            first_slot = EXCLUDED.first_slot, last_slot = EXCLUDED.last_slot,
            peak_value_usd = EXCLUDED.peak_value_usd,
            value_seconds_usd = EXCLUDED.value_seconds_usd,
            best_pnl_usd = EXCLUDED.best_pnl_usd, best_size_usd = EXCLUDED.best_size_usd,
            gross_bps = EXCLUDED.gross_bps, net_bps = EXCLUDED.net_bps,
            limited_by = EXCLUDED.limited_by, intents = EXCLUDED.intents,
            is_eligible = EXCLUDED.is_eligible, blocked_by = EXCLUDED.blocked_by,
            decision = EXCLUDED.decision, gate = EXCLUDED.gate,
            gate_value = EXCLUDED.gate_value, gate_limit = EXCLUDED.gate_limit
            WHERE trading_window.version < EXCLUDED.version;
    END IF;
    INSERT INTO trading_outbox (subject, payload)
        VALUES (p -> 'outbox' ->> 'subject', p -> 'outbox' -> 'payload');
    RETURN 'recorded';
EXCEPTION
    -- Two ways to lose a race: the same key, or an unsettled trade of this direction. The
    -- handler undoes everything above, the reservation included.
    WHEN unique_violation THEN
        IF EXISTS (SELECT 1 FROM trading_opportunity WHERE intent_key = v_key) THEN
            RETURN 'duplicate';
        END IF;
        RETURN 'busy';
END $$;
"""
RECORD_INTENT_OFF = "DROP FUNCTION trading_record_intent(jsonb);"

WAKE_UPS = """
CREATE OR REPLACE FUNCTION trading_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('spreadline', TG_ARGV[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER trading_assetconfig_notify AFTER INSERT OR UPDATE ON trading_assetconfig
    FOR EACH STATEMENT EXECUTE FUNCTION trading_notify('config');
CREATE TRIGGER trading_outbox_notify AFTER INSERT ON trading_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION trading_notify('outbox');
CREATE TRIGGER risk_control_notify AFTER INSERT OR UPDATE ON risk_control
    FOR EACH STATEMENT EXECUTE FUNCTION trading_notify('control');
"""
WAKE_UPS_OFF = """
DROP TRIGGER risk_control_notify ON risk_control;
DROP TRIGGER trading_outbox_notify ON trading_outbox;
DROP TRIGGER trading_assetconfig_notify ON trading_assetconfig;
DROP FUNCTION trading_notify();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial"), ("risk", "0001_initial")]

    operations = [
        migrations.RunSQL(FENCE, UNFENCE),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_OFF),
        migrations.RunSQL(RECORD_INTENT, RECORD_INTENT_OFF),
        migrations.RunSQL(WAKE_UPS, WAKE_UPS_OFF),
    ]
