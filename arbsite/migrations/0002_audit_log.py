"""The audit log, the database's refusal to change it, and the words of permission."""

from django.db import migrations, models

REFUSE = """
CREATE OR REPLACE FUNCTION arbsite_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'SPA01';
END $$;
CREATE TRIGGER arbsite_auditlog_append_only BEFORE UPDATE OR DELETE ON arbsite_auditlog
    FOR EACH ROW EXECUTE FUNCTION arbsite_refuse_change();
CREATE TRIGGER arbsite_auditlog_no_truncate BEFORE TRUNCATE ON arbsite_auditlog
    FOR EACH STATEMENT EXECUTE FUNCTION arbsite_refuse_change();
"""
REFUSE_OFF = """
DROP TRIGGER arbsite_auditlog_no_truncate ON arbsite_auditlog;
DROP TRIGGER arbsite_auditlog_append_only ON arbsite_auditlog;
DROP FUNCTION arbsite_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("arbsite", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("id", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=64)),
                ("target", models.CharField(max_length=200)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("prev_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64, unique=True)),
            ],
            options={
                "verbose_name": "audit row",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["target", "-id"], name="audit_by_target"),
                    models.Index(fields=["actor", "-id"], name="audit_by_actor"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, primary_key=True, serialize=False
                    ),
                ),
                ("last_id", models.PositiveBigIntegerField()),
                ("last_hash", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="audithead_single_row"
                    )
                ],
            },
        ),
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("read", "See everything the console shows"),
                    ("trade", "Pause, resume, kill and handle trades"),
                    ("admin", "Change configuration and limits"),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunSQL(REFUSE, REFUSE_OFF),
    ]
