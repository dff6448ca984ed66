"""The fixtures of the rig, for this folder."""

from __future__ import annotations

from arbsite.tests.stream.rig import crowded_port, impatient_port, viewer, web_port

__all__ = ["crowded_port", "impatient_port", "viewer", "web_port"]
