"""Why a demo can't go on."""

from __future__ import annotations


class DemoError(Exception):
    """The demo can't start or go on; the message names the cause and the remedy."""
