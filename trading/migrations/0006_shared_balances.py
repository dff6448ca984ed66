"""Balances that shards share: what each trade may still take of them, in rows all lock.

The intent function of 0002 keeps its checks under another name; the one that is called
puts the reservation into the same transaction. Lock order: after everything 0002 locks,
balances by venue and asset, so that two shards cannot wait for each other.
"""

from django.db import migrations, models

RESERVE = """
ALTER FUNCTION trading_record_intent(jsonb) RENAME TO trading_record_decision;

CREATE FUNCTION trading_reserve(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_short text;
BEGIN
    INSERT INTO trading_sharedbalance (venue, asset)
        SELECT n ->> 'venue', n ->> 'asset' FROM jsonb_array_elements(p -> 'needs') AS n
        ORDER BY 1, 2 ON CONFLICT (venue, asset) DO NOTHING;
    PERFORM 1 FROM trading_sharedbalance b
        JOIN jsonb_array_elements(p -> 'needs') AS n
            ON b.venue = n ->> 'venue' AND b.asset = n ->> 'asset'
        ORDER BY b.venue, b.asset FOR UPDATE OF b;
    -- Another shard's trade that is over still counts until our balances were read after it.
    -- Our own is counted while it is open: the engine knows its own fills.
    SELECT n ->> 'venue' || ' ' || (n ->> 'asset') INTO v_short
        FROM jsonb_array_elements(p -> 'needs') AS n
        WHERE (n ->> 'free')::numeric < (n ->> 'amount')::numeric + (
            SELECT coalesce(sum(r.amount), 0) FROM trading_reservation r
            WHERE r.venue = n ->> 'venue' AND r.asset = n ->> 'asset'
                AND (r.released_ns IS NULL OR r.shard <> p ->> 'shard'
                    AND r.released_ns >= (n ->> 'known_ns')::bigint))
        ORDER BY 1 LIMIT 1;
    IF v_short IS NOT NULL THEN
        RETURN v_short;
    END IF;
    INSERT INTO trading_reservation (shard, trade_id, venue, asset, amount)
        SELECT p ->> 'shard', (p -> 'trade' ->> 'id')::uuid, n ->> 'venue', n ->> 'asset',
            (n ->> 'amount')::numeric
        FROM jsonb_array_elements(p -> 'needs') AS n;
    RETURN NULL;
END $$;

CREATE FUNCTION trading_record_intent(p jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_verdict text;
    v_short text;
BEGIN
    -- Called here and not in the declaration: only the block is undone by its handler.
    v_verdict := trading_record_decision(p);
    IF v_verdict <> 'recorded' OR jsonb_array_length(coalesce(p -> 'needs', '[]')) = 0 THEN
        RETURN v_verdict;
    END IF;
    v_short := trading_reserve(p);
    IF v_short IS NOT NULL THEN
        -- Undoes the decision, the trade and the day's reservation.
        RAISE EXCEPTION 'balance:%', v_short USING ERRCODE = 'SPB01';
    END IF;
    RETURN v_verdict;
EXCEPTION WHEN SQLSTATE 'SPB01' THEN
    RETURN SQLERRM;
END $$;
"""
RESERVE_OFF = """
DROP FUNCTION trading_record_intent(jsonb);
DROP FUNCTION trading_reserve(jsonb);
ALTER FUNCTION trading_record_decision(jsonb) RENAME TO trading_record_intent;
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0005_markouts")]

    operations = [
        migrations.CreateModel(
            name="SharedBalance",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("venue", models.CharField(max_length=16)),
                ("asset", models.CharField(max_length=16)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("venue", "asset"), name="balance_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.CharField(max_length=32)),
                ("trade_id", models.UUIDField()),
                ("venue", models.CharField(max_length=16)),
                ("asset", models.CharField(max_length=16)),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                ("released_ns", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["venue", "asset", "released_ns"], name="reservation_by_balance"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("trade_id", "venue", "asset"), name="reservation_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(RESERVE, RESERVE_OFF),
    ]
