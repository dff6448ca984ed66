"""The intent function in half as many statements: what an order waits for is mostly this.

Same verdicts, same locks in the same order as those of 0002, 0006 and 0010 together. What
changed is how often the server is asked: the decision's own insert finds a repeated key, the
day's row is read by the update that reserves, both controls are locked and read at once, and
one block undoes all of it. A decision's JSON stays in its row (it was compressed and moved to
another table), and two kinds of indexes nobody reads are gone from the attempts.
"""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

FENCE = import_module("trading.migrations.0002_fence_and_intent")
BALANCES = import_module("trading.migrations.0006_shared_balances")
DESK = import_module("trading.migrations.0010_desk_cap")

OLD_OFF = """
DROP FUNCTION trading_record_intent(jsonb);
DROP FUNCTION trading_record_decision(jsonb);
DROP FUNCTION trading_desk_cap(jsonb);
"""

# '*' is locked first wherever both are; only what blocks is named, the desk before the asset.
MODE_REFUSAL = """
CREATE FUNCTION trading_mode_refusal(p_asset text, p_config integer)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_has_desk boolean;
    v_blocking text;
    v_config integer;
BEGIN
    SELECT bool_or(scope = '*'),
        (array_agg(scope || ' ' || CASE WHEN mode <> 'live' THEN mode ELSE 'tripped' END
            ORDER BY scope <> '*') FILTER (WHERE mode <> 'live' OR trips <> '{}'::jsonb))[1]
        INTO v_has_desk, v_blocking
        FROM (SELECT scope, mode, trips FROM risk_control WHERE scope IN ('*', p_asset)
            ORDER BY scope <> '*' FOR SHARE) AS control;
    IF v_has_desk IS NOT TRUE THEN
        RETURN 'mode:unknown';
    ELSIF v_blocking IS NOT NULL THEN
        RETURN 'mode:' || v_blocking;
    END IF;
    SELECT version INTO v_config FROM trading_assetconfig
        WHERE asset = p_asset AND status = 'in_force' AND enabled AND mode = 'live';
    RETURN CASE WHEN v_config IS DISTINCT FROM p_config THEN 'config' END;
END $$;
"""
DAY_REFUSAL = """
CREATE FUNCTION trading_day_refusal(p_day date, p_asset text, p_notional numeric, p_caps jsonb)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_day record;
BEGIN
    FOR look IN 1..2 LOOP
        UPDATE risk_riskday SET notional_reserved = notional_reserved + p_notional,
            trades = trades + 1 WHERE day = p_day AND asset = p_asset
            RETURNING notional_used + notional_reserved AS notional, -realised AS loss,
                trades - 1 AS trades INTO v_day;
        EXIT WHEN FOUND;
        -- The first intent of the day, or one beside it.
        INSERT INTO risk_riskday (day, asset, notional_used, notional_reserved, realised, trades)
            VALUES (p_day, p_asset, 0, 0, 0, 0) ON CONFLICT (day, asset) DO NOTHING;
    END LOOP;
    RETURN CASE WHEN v_day.notional > (p_caps ->> 'notional')::numeric THEN 'cap:daily_notional'
        WHEN v_day.loss >= (p_caps ->> 'loss')::numeric THEN 'cap:daily_loss'
        WHEN v_day.trades >= (p_caps ->> 'trades')::integer THEN 'cap:daily_trades' END;
END $$;
"""
DESK_REFUSAL = """
CREATE FUNCTION trading_desk_refusal(p_day date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_open_cap numeric;
    v_day_cap numeric;
    v_open numeric;
    v_day numeric;
BEGIN
    -- A version put in force while we waited for the row makes the first look find nothing.
    FOR look IN 1..2 LOOP
        SELECT max_open_usd, daily_notional_cap_usd INTO v_open_cap, v_day_cap
            FROM risk_desklimits WHERE scope = '*' AND status = 'in_force' FOR UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    IF v_open_cap IS NULL THEN
        RETURN 'cap:desk_unknown';
    END IF;
    -- This intent is among the sums: its trade and its day's reservation are written. Two
    -- sums of trades, for each has an index of its own.
    SELECT (SELECT coalesce(sum(notional_usd), 0) FROM trading_trade
                WHERE state IN ('open', 'hedging') AND NOT is_settled)
            + (SELECT coalesce(sum(notional_usd), 0) FROM trading_trade
                WHERE state = 'operator' AND NOT is_settled),
            (SELECT sum(notional_used + notional_reserved) FROM risk_riskday WHERE day = p_day)
        INTO v_open, v_day;
    RETURN CASE WHEN v_open > v_open_cap THEN 'cap:desk_open'
        WHEN v_day > v_day_cap THEN 'cap:desk_daily' END;
END $$;
"""
# Trade and attempts; the caller has reserved for them.
WRITE_TRADE = """
CREATE FUNCTION trading_write_trade(p jsonb, o jsonb, t jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trading_trade (id, version, intent_key, window_id, asset, direction,
            leg_order, state, is_settled, outcome, is_verified, config_version, size_base,
            notional_usd, expected_pnl_usd, residual_base, detect_ns, risk_day, reason)
        VALUES ((t ->> 'id')::uuid, 1, (o ->> 'intent_key')::uuid, (o ->> 'window_id')::uuid,
            o ->> 'asset', o ->> 'direction', t ->> 'leg_order', 'open', false, 'pending', false,
            (o ->> 'config_version')::integer, (o ->> 'size_base')::numeric,
            (o ->> 'notional_usd')::numeric, (o ->> 'expected_pnl_usd')::numeric, 0,
            (t ->> 'detect_ns')::bigint, (t ->> 'risk_day')::date, '');
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
END $$;
"""
WRITE_WINDOW = """
CREATE FUNCTION trading_write_window(p_window jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trading_window AS held
        SELECT noted.* FROM jsonb_populate_record(NULL::trading_window, p_window) AS noted
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
        WHERE held.version < EXCLUDED.version;
END $$;
"""
# Locks in the order of the protocol: lease, control, risk day, trade, attempt, desk, balances.
RECORD_INTENT = """
CREATE FUNCTION trading_record_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := p -> 'opportunity';
    t jsonb := p -> 'trade';
    v_is_trade boolean := jsonb_typeof(t) = 'object';
    v_day date := (t ->> 'risk_day')::date;
    v_epoch bigint;
    v_refusal text;
    v_table text;
BEGIN
    SELECT epoch INTO v_epoch FROM trading_enginelease WHERE shard = p ->> 'shard' FOR SHARE;
    IF v_epoch IS DISTINCT FROM (p ->> 'epoch')::bigint THEN
        RAISE EXCEPTION 'fenced: shard % is at epoch %, this writer holds %',
            p ->> 'shard', v_epoch, p ->> 'epoch' USING ERRCODE = 'SPF01';
    END IF;
    -- Before anything may refuse: a repeated transaction hears of its own first try.
    INSERT INTO trading_opportunity (intent_key, window_id, asset, direction, mode, size_base,
            notional_usd, expected_pnl_usd, config_version, decided_ns, intent)
        VALUES ((o ->> 'intent_key')::uuid, (o ->> 'window_id')::uuid, o ->> 'asset',
            o ->> 'direction', o ->> 'mode', (o ->> 'size_base')::numeric,
            (o ->> 'notional_usd')::numeric, (o ->> 'expected_pnl_usd')::numeric,
            (o ->> 'config_version')::integer, (o ->> 'decided_ns')::bigint, o -> 'intent')
        ON CONFLICT (intent_key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'duplicate';
    END IF;
    IF v_is_trade THEN
        v_refusal := coalesce(
            trading_mode_refusal(o ->> 'asset', (o ->> 'config_version')::integer),
            trading_day_refusal(v_day, o ->> 'asset', (o ->> 'notional_usd')::numeric,
                p -> 'caps'));
        IF v_refusal IS NOT NULL THEN
            RAISE EXCEPTION '%', v_refusal USING ERRCODE = 'SPB01';
        END IF;
        PERFORM trading_write_trade(p, o, t);
    END IF;
    -- With its intent, so that the next engine finds this window fired at, whenever we die.
    IF jsonb_typeof(p -> 'window') = 'object' THEN
        PERFORM trading_write_window(p -> 'window');
    END IF;
    INSERT INTO trading_outbox (subject, payload)
        VALUES (p -> 'outbox' ->> 'subject', p -> 'outbox' -> 'payload');
    IF v_is_trade THEN
        v_refusal := trading_desk_refusal(v_day);
        IF v_refusal IS NULL AND jsonb_array_length(p -> 'needs') > 0 THEN
            v_refusal := 'balance:' || trading_reserve(p);
        END IF;
        IF v_refusal IS NOT NULL THEN
            RAISE EXCEPTION '%', v_refusal USING ERRCODE = 'SPB01';
        END IF;
    END IF;
    RETURN 'recorded';
EXCEPTION
    -- Undone so far: everything, the decision and the day's reservation included.
    WHEN SQLSTATE 'SPB01' THEN
        RETURN SQLERRM;
    WHEN unique_violation THEN
        -- An unsettled trade of this direction, or these bytes are another trade's.
        GET STACKED DIAGNOSTICS v_table = TABLE_NAME;
        IF v_table NOT IN ('trading_trade', 'trading_attempt') THEN
            RAISE;
        END IF;
        RETURN 'busy';
END $$;
"""
LEAN = (
    OLD_OFF + MODE_REFUSAL + DAY_REFUSAL + DESK_REFUSAL + WRITE_TRADE + WRITE_WINDOW + RECORD_INTENT
)
LEAN_OFF = (
    """
DROP FUNCTION trading_record_intent(jsonb);
DROP FUNCTION trading_write_window(jsonb);
DROP FUNCTION trading_write_trade(jsonb, jsonb, jsonb);
DROP FUNCTION trading_desk_refusal(date);
DROP FUNCTION trading_day_refusal(date, text, numeric, jsonb);
DROP FUNCTION trading_mode_refusal(text, integer);
"""
    + FENCE.RECORD_INTENT
    + "ALTER FUNCTION trading_record_intent(jsonb) RENAME TO trading_record_decision;"
    # The wrapper that 0010 replaces must stand before.
    + BALANCES.RESERVE[BALANCES.RESERVE.index("CREATE FUNCTION trading_record_intent") :]
    + DESK.DESK_CAP
)

KEEP_INLINE = "ALTER TABLE trading_opportunity SET (toast_tuple_target = 8160);"
KEEP_INLINE_OFF = "ALTER TABLE trading_opportunity RESET (toast_tuple_target);"


class Migration(migrations.Migration):
    dependencies = [("trading", "0011_start_stages"), ("risk", "0004_desk_limits")]

    operations = [
        migrations.RunSQL(LEAN, LEAN_OFF),
        migrations.RunSQL(KEEP_INLINE, KEEP_INLINE_OFF),
        # The constraint on (trade, leg, seq) begins with the trade.
        migrations.AlterField(
            model_name="attempt",
            name="trade",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="trading.trade",
            ),
        ),
        # `unique=True` on a text column brings a second index, for LIKE.
        migrations.AlterField(
            model_name="attempt",
            name="cl_ord_id",
            field=models.CharField(blank=True, max_length=64, null=True),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="signature",
            field=models.CharField(blank=True, max_length=96, null=True),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=["cl_ord_id"], name="attempt_order_once"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=["signature"], name="attempt_bytes_once"),
        ),
    ]
