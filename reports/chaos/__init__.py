"""Chaos on a running simulated desk, for people: drawn, done, watched, judged, written down."""
