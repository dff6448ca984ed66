"""The fixtures of the rig, for this folder."""

from __future__ import annotations

from arbsite.tests.stream.rig import impatient_port, viewer, web_port

__all__ = ["impatient_port", "viewer", "web_port"]
