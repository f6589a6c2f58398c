"""The operating guide knows every metric, and every secret has its line in the threat model."""

from dataclasses import fields

from alerter.config.secrets import Secrets
from alerter.metrics import Metrics
from tests.docs.pages import rows, text_of


def test_every_metric_has_its_alert_or_a_dash() -> None:
    there = {line.split()[2] for line in Metrics("0").render().decode().splitlines() if line.startswith("# HELP")}
    told = {
        name: cells
        for name, cells in rows(text_of("docs/operating.md")).items()
        if name.startswith("alerter_") and " " not in name
    }
    assert {name for name in told if "{" not in name} == {name for name in there if not name.endswith("_created")}
    assert all(cells.split("|")[0].strip() for cells in told.values())


def test_every_secret_has_its_thief() -> None:
    told = rows(text_of("docs/security.md"))
    assert {each.name.upper() for each in fields(Secrets)} - {"SMTP_USERNAME"} <= told.keys()
