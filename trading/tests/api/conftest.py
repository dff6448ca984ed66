"""The fixtures of the rig, for this folder."""

from __future__ import annotations

from arbsite.tests.stream.rig import viewer, web_port

__all__ = ["viewer", "web_port"]
