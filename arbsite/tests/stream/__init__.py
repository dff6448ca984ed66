"""Tests of the console socket and the relay, over real servers on loopback."""
