"""Ledgers filled by real cycles from a fake server, for what auditors ask of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from typer.testing import CliRunner

from alerter.cli.app import app

BUDGETS = """\
defaults: {receivers: [console], timezone: Europe/Berlin, thresholds: [50%, 100%, forecast 100%], period: monthly}
budgets:
  - {name: everything, amount: 100}
  - {name: every-team, amount: 40, group_by: [team]}
"""
PRICES = """\
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "0.192"}
  - {match: {instance_type: "onprem-*"}, per_gpu_hour: {"A100": "1.10"}, per_vcpu_hour: "0.02"}
resources: {per_vcpu_hour: "0.031611", per_gib_hour: "0.004237", per_gpu_hour: {"T4": "0.35"}}
multipliers: [{match: {instance_type: m5.xlarge}, factor: "0.5", reason: contract}]
"""
HOUR = 3_600_000


def ms(text: str) -> int:
    """An ISO time with its offset, as epoch ms."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def alerter(*words: str, config: Path | None = None, code: int = 0) -> str:
    """Run a command and return what it prints; it must end with this exit code."""
    chosen = ["--config", str(config)] if config else []
    done = CliRunner().invoke(app, [*words, *chosen])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output
