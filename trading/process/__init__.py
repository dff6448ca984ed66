"""The engine process: wires the pure engine to feeds, venues, database, bus and people."""
