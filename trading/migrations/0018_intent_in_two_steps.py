"""The intent's transaction in two steps, so that the server works while the swap is signed.

`trading_begin_intent` writes what needs no lock anybody else waits for: the decision, its window
and its word to the outbox. `trading_finish_intent` takes the locks, in the order of the protocol, checks and
writes the trade; only its commit makes anything durable. `trading_record_intent` is both in one
call, for a decision that is only stored and for asking again; `trading_rehearse_intent` runs the
statements of both for a connection that is new. Same verdicts, same locks as in
0012; a refusal is the error SPB01 in the two steps and a returned word in the one.
"""

from importlib import import_module

from django.db import migrations

LEAN = import_module("trading.migrations.0012_lean_intent")

FENCE = """
CREATE FUNCTION trading_fence_intent(p jsonb, p_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_epoch IS DISTINCT FROM (p ->> 'epoch')::bigint THEN
        RAISE EXCEPTION 'fenced: shard % is at epoch %, this writer holds %',
            p ->> 'shard', p_epoch, p ->> 'epoch' USING ERRCODE = 'SPF01';
    END IF;
END $$;
"""
# Before anything may refuse: a repeated transaction hears of its own first try.
NOTE_DECISION = """
CREATE FUNCTION trading_note_decision(p jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := p -> 'opportunity';
BEGIN
    INSERT INTO trading_opportunity (intent_key, window_id, asset, direction, mode, size_base,
            notional_usd, expected_pnl_usd, config_version, decided_ns, intent)
        VALUES ((o ->> 'intent_key')::uuid, (o ->> 'window_id')::uuid, o ->> 'asset',
            o ->> 'direction', o ->> 'mode', (o ->> 'size_base')::numeric,
            (o ->> 'notional_usd')::numeric, (o ->> 'expected_pnl_usd')::numeric,
            (o ->> 'config_version')::integer, (o ->> 'decided_ns')::bigint, o -> 'intent')
        ON CONFLICT (intent_key) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'duplicate' USING ERRCODE = 'SPB01';
    END IF;
    INSERT INTO trading_outbox (subject, payload)
        VALUES (p -> 'outbox' ->> 'subject', p -> 'outbox' -> 'payload');
    -- With its intent, so that the next engine finds this window fired at, whenever we die.
    IF jsonb_typeof(p -> 'window') = 'object' THEN
        PERFORM trading_write_window(p -> 'window');
    END IF;
END $$;
"""
# The lease is looked at, not held: whoever fences us must not wait for the second step.
BEGIN_INTENT = """
CREATE FUNCTION trading_begin_intent(p jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trading_fence_intent(p,
        (SELECT epoch FROM trading_enginelease WHERE shard = p ->> 'shard'));
    PERFORM trading_note_decision(p);
END $$;
"""
# Of the opportunity: its asset, direction, numbers and keys; the decision itself is written.
ADMIT_TRADE = """
CREATE FUNCTION trading_admit_trade(p jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := p -> 'opportunity';
    t jsonb := p -> 'trade';
    v_day date := (t ->> 'risk_day')::date;
    v_refusal text;
BEGIN
    v_refusal := coalesce(
        trading_mode_refusal(o ->> 'asset', (o ->> 'config_version')::integer),
        trading_day_refusal(v_day, o ->> 'asset', (o ->> 'notional_usd')::numeric, p -> 'caps'));
    IF v_refusal IS NULL THEN
        PERFORM trading_write_trade(p, o, t);
        v_refusal := trading_desk_refusal(v_day);
    END IF;
    IF v_refusal IS NULL AND jsonb_array_length(p -> 'needs') > 0 THEN
        v_refusal := 'balance:' || trading_reserve(p);
    END IF;
    IF v_refusal IS NOT NULL THEN
        RAISE EXCEPTION '%', v_refusal USING ERRCODE = 'SPB01';
    END IF;
END $$;
"""
# Locks in the order of the protocol: lease, control, risk day, trade, attempt, desk, balances.
FINISH_INTENT = """
CREATE FUNCTION trading_finish_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_epoch bigint;
BEGIN
    SELECT epoch INTO v_epoch FROM trading_enginelease WHERE shard = p ->> 'shard' FOR SHARE;
    PERFORM trading_fence_intent(p, v_epoch);
    IF jsonb_typeof(p -> 'trade') = 'object' THEN
        PERFORM trading_admit_trade(p);
    END IF;
    RETURN 'recorded';
END $$;
"""
RECORD_INTENT = """
CREATE FUNCTION trading_record_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
BEGIN
    PERFORM trading_begin_intent(p);
    RETURN trading_finish_intent(p);
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
# Plans every statement of the two steps; whoever calls it rolls back. Refusals refuse nothing here.
REHEARSE_INTENT = """
CREATE FUNCTION trading_rehearse_intent(p jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := p -> 'opportunity';
    t jsonb := p -> 'trade';
    v_day date := (t ->> 'risk_day')::date;
BEGIN
    PERFORM trading_begin_intent(p);
    PERFORM epoch FROM trading_enginelease WHERE shard = p ->> 'shard' FOR SHARE;
    PERFORM trading_mode_refusal(o ->> 'asset', (o ->> 'config_version')::integer);
    PERFORM trading_day_refusal(v_day, o ->> 'asset', (o ->> 'notional_usd')::numeric, p -> 'caps');
    PERFORM trading_write_trade(p, o, t);
    PERFORM trading_desk_refusal(v_day);
    PERFORM trading_reserve(p);
END $$;
"""
DROP_WHOLE = "DROP FUNCTION trading_record_intent(jsonb);"
TWO_STEPS = (
    DROP_WHOLE + FENCE + NOTE_DECISION + BEGIN_INTENT + ADMIT_TRADE + FINISH_INTENT + RECORD_INTENT
    + REHEARSE_INTENT
)
TWO_STEPS_OFF = (
    DROP_WHOLE
    + """
DROP FUNCTION trading_rehearse_intent(jsonb);
DROP FUNCTION trading_finish_intent(jsonb);
DROP FUNCTION trading_admit_trade(jsonb);
DROP FUNCTION trading_begin_intent(jsonb);
DROP FUNCTION trading_note_decision(jsonb);
DROP FUNCTION trading_fence_intent(jsonb, bigint);
"""
    + LEAN.RECORD_INTENT
)


class Migration(migrations.Migration):
    dependencies = [("trading", "0017_quiet_intent")]

    operations = [migrations.RunSQL(TWO_STEPS, TWO_STEPS_OFF)]
