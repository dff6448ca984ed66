"""Tests of sign-in, sessions, roles and routes."""
