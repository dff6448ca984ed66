"""The intent function holds every intent to the limits of the desk as a whole.

Lock order: after the trade and its attempts the version of the desk's limits in force, then
the balances. All shards lock that one row, so that what each sums is complete.
"""

from django.db import migrations, models

DESK_CAP = """
CREATE FUNCTION trading_desk_cap(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_open_cap numeric;
    v_day_cap numeric;
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
    -- This intent is among the sums: its trade and its day's reservation are written.
    IF (SELECT coalesce(sum(notional_usd), 0) FROM trading_trade
            WHERE state IN ('open', 'hedging') AND NOT is_settled)
        + (SELECT coalesce(sum(notional_usd), 0) FROM trading_trade
            WHERE state = 'operator' AND NOT is_settled) > v_open_cap THEN
        RETURN 'cap:desk_open';
    END IF;
    IF (SELECT sum(notional_used + notional_reserved) FROM risk_riskday
            WHERE day = (p -> 'trade' ->> 'risk_day')::date) > v_day_cap THEN
        RETURN 'cap:desk_daily';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION trading_record_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_verdict text;
    v_refusal text;
BEGIN
    -- Called here and not in the declaration: only the block is undone by its handler.
    v_verdict := trading_record_decision(p);
    IF v_verdict <> 'recorded' OR jsonb_typeof(p -> 'trade') IS DISTINCT FROM 'object' THEN
        RETURN v_verdict;
    END IF;
    v_refusal := trading_desk_cap(p);
    IF v_refusal IS NULL AND jsonb_array_length(coalesce(p -> 'needs', '[]')) > 0 THEN
        v_refusal := 'balance:' || trading_reserve(p);
    END IF;
    IF v_refusal IS NOT NULL THEN
        -- Undoes the decision, the trade and the day's reservation.
        RAISE EXCEPTION '%', v_refusal USING ERRCODE = 'SPB01';
    END IF;
    RETURN v_verdict;
EXCEPTION WHEN SQLSTATE 'SPB01' THEN
    RETURN SQLERRM;
END $$;
"""
DESK_CAP_OFF = """
CREATE OR REPLACE FUNCTION trading_record_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_verdict text;
    v_short text;
BEGIN
    v_verdict := trading_record_decision(p);
    IF v_verdict <> 'recorded' OR jsonb_array_length(coalesce(p -> 'needs', '[]')) = 0 THEN
        RETURN v_verdict;
    END IF;
    v_short := trading_reserve(p);
    IF v_short IS NOT NULL THEN
        RAISE EXCEPTION 'balance:%', v_short USING ERRCODE = 'SPB01';
    END IF;
    RETURN v_verdict;
EXCEPTION WHEN SQLSTATE 'SPB01' THEN
    RETURN SQLERRM;
END $$;
DROP FUNCTION trading_desk_cap(jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0009_sample"), ("risk", "0004_desk_limits")]

    operations = [
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(
                condition=models.Q(("is_settled", False), ("state", "operator")),
                fields=["asset"],
                name="trade_parked",
            ),
        ),
        migrations.RunSQL(DESK_CAP, DESK_CAP_OFF),
    ]
