"""Tests of status, commands and incidents over HTTP."""
