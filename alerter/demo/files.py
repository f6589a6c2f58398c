"""The demo's configuration: real files, for whoever wants to change a budget and see what happens."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from alerter.core.periods import utc
from alerter.demo.scenario import NLP_AMOUNT, PROJECT_AMOUNT, TEAM_AMOUNT

_ALERTER = """\
# Written by `alerter demo`. A real one is shorter: values that are not named have defaults.
sources:
  - {{name: demo, tracking_uri: "{mlflow}"}}
database: "sqlite:///{folder}/alerter.db"
poll: {{every: 2s}}                             # 60s is the default: here somebody watches
receivers:
  - name: ml-costs
    console: {{}}                               # or slack: {{channel: "#ml-costs"}}, email: {{to: [ml@example.com]}}
operators: ml-costs                           # is told what is wrong, such as with a file that you edit here
web: {{listen: "127.0.0.1:{port}"}}
"""

_BUDGETS = """\
# Written by `alerter demo`. Change an amount and save: it takes effect within seconds.
defaults:
  currency: USD
  timezone: UTC
  thresholds: [80%, 100%]
  receivers: [ml-costs]

budgets:
  - name: every-team
    group_by: [team]                          # one budget a team; runs without the tag are (untagged)
    amount: {team}
    period: {{rolling_days: 30}}                # or monthly, weekly, daily, ...
    overrides:
      - {{team: nlp, amount: {nlp}, owner: "@nlp-lead"}}

  - name: fraud-detection
    match: {{project: fraud-detection, cost_center: "cc-1*"}}
    amount: {project}
    period: {{from: {first}, to: {end}}}
    thresholds: [80%, 100%, forecast 100%]
"""

_PRICES = """\
# Written by `alerter demo`. List prices come with the program; your own go before them.
currency: USD
catalogs: [builtin]
defaults: {provider: aws, region: us-east-1, purchase_option: on_demand}
resources: {per_vcpu_hour: "0.031611", per_gib_hour: "0.004237", per_gpu_hour: {"*": "0.95"}, per_gpu_gib_hour: "0.04"}
"""


def write_config(folder: Path, *, mlflow: str, port: int, now_ms: int) -> Path:
    """Write the three files into ``folder/config`` and return that folder.

    The project's budget began 20 days ago and ends in 10, so that its forecast has something to go by on any day.
    """
    config = folder / "config"
    config.mkdir()
    today = utc(now_ms).date()
    first, end = today - timedelta(days=20), today + timedelta(days=10)
    files = {
        "alerter.yaml": _ALERTER.format(mlflow=mlflow, folder=folder, port=port),
        "budgets.yaml": _BUDGETS.format(team=TEAM_AMOUNT, nlp=NLP_AMOUNT, project=PROJECT_AMOUNT, first=first, end=end),
        "prices.yaml": _PRICES,
    }
    for name, text in files.items():
        (config / name).write_text(text, encoding="utf-8")
    return config
