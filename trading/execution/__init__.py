"""Carrying intents out: plans, sends, proofs, hedges, bookings of one trade at a time."""
