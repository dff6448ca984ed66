"""The engine's doors to PostgreSQL: fenced writes, leases, the outbox. Nothing here decides."""
