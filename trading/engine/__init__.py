"""The pure engine, inside: what it knows, what it prices, what it decides. No I/O, no clock."""
