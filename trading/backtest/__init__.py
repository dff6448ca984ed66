"""The back-test: the same engine over recorded or simulated facts, filled on paper.

`source` says where facts come from, `desk` runs one parameter set over them, `figures`
says what it came to. Called by reports' commands and the benches. Nothing here touches
the database or a venue.
"""
