"""The command line. A command imports what it needs when it runs, so that ``--help`` is quick."""

from __future__ import annotations

from alerter.cli.app import main

__all__ = ["main"]
