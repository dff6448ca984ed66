"""Tests of the HTTP interface, the configuration service and the relay process."""
