"""Files that are right, and the domain's objects that they become."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from alerter.config import Config, budget_revision, load
from alerter.core.budgets import Basis, Override, Threshold
from alerter.core.periods import PeriodKind, PeriodSpec
from tests.config.conftest import Folder

EXAMPLES = {
    "alerter.yaml": "slack: {ch | email: {to: | email: {host: | operators: | tracking_uri: | ui_url: | experiments:",
    "budgets.yaml": 'receivers: ["{team} | overrides: |  - {team: ',
    "prices.yaml": "prices: |  - {match | multipliers: | fallback:",
}
"""How the commented lines of the shipped files begin."""
SHIPPED = Path(__file__).parents[2] / "config"
NANOS = 1_000_000_000
EVERY_SETTING = """\
sources:
  - name: main
    tracking_uri: https://mlflow.example.com/
    experiments: {include: ["team-*"], exclude: [scratch]}
  - name: local
    tracking_uri: sqlite:///mlruns.db
    backend_store: postgresql://reader@db/mlflow
database: postgresql://alerter@db/alerter
poll: {every: 1m30s, overlap: 0s, resweep: 1d, source_down_after: 5m, timeout: 2.5s, page_size: 10, concurrency: 4}
metering: {stale_after: 1h, no_heartbeat_after: 2h, max_nodes: 8, keys: {instance_type: flavor, nodes: [hosts]}}
tags: {trim: false, casefold: team, aliases: {team: {Computer Vision: Vision}}}
receivers:
  - {name: console, console: }
  - {name: ops, slack: {channel: "#ops"}, email: {to: [a@x.example, "B <b@x.example>"]}, group: false}
slack: {mode: http, command: /spend, base_url: "http://127.0.0.1:9/api/", allowed_users: [U1]}
email: {host: smtp.example.com, from: budgets@example.com, ca_file: ca.pem}
web: {listen: "[::1]:0", public_url: https://budgets.example.com/}
alerts: {coverage_floor: 90 %}
operators: ops
"""


def test_the_shipped_files_load_without_any_secret() -> None:
    config = load(SHIPPED, {})
    assert {path.name for path in config.files} == {"alerter.yaml", "budgets.yaml", "prices.yaml"}
    assert [each.name for each in config.budgets] == ["everything", "every-team"]
    assert config.receiver("ml-costs") is not None
    assert all(set(each.channels) == {"console"} for each in config.receivers)


def test_the_shipped_values_are_the_defaults(folder: Folder) -> None:
    shipped = load(SHIPPED, {})
    usual = folder.load()
    for part in (
        "sources",
        "database",
        "poll",
        "metering",
        "tags",
        "slack",
        "email",
        "web",
        "alerts",
        "operators",
        "prices",
    ):
        assert getattr(shipped, part) == getattr(usual, part), part


@pytest.mark.parametrize("name", ["alerter.yaml", "budgets.yaml", "prices.yaml"])
def test_the_commented_lines_of_the_shipped_files_are_right_too(folder: Folder, name: str) -> None:
    for each in SHIPPED.glob("*.yaml"):
        shutil.copy(each, folder.path)
    (folder.path / "our-contract.csv").touch()
    lines = (SHIPPED / name).read_text(encoding="utf-8").splitlines()
    examples = EXAMPLES[name].split(" | ")
    opened = [
        line.replace("# ", "", 1) if line.lstrip().startswith(tuple(f"# {each}" for each in examples)) else line
        for line in lines
    ]
    assert opened != lines
    folder.write(name, "\n".join(opened) + "\n")
    folder.load()


def test_settings_of_every_section(folder: Folder) -> None:
    folder.write("alerter.yaml", EVERY_SETTING)
    folder.write("ca.pem", "")
    config = folder.load()
    main, local = config.sources
    assert (main.tracking_uri, main.ui_url) == ("https://mlflow.example.com", "https://mlflow.example.com")
    assert (main.experiments.include, main.experiments.exclude) == (("team-*",), ("scratch",))
    assert (local.ui_url, local.backend_store) == ("", "postgresql+psycopg://reader@db/mlflow")
    assert config.database == "postgresql+psycopg://alerter@db/alerter"
    poll = config.poll
    assert (poll.every_s, poll.overlap_s, poll.resweep_s, poll.timeout_s, poll.page_size) == (90, 0, 86400, 2.5, 10)
    assert poll.concurrency == 4
    assert config.alerts.coverage_floor_percent == 90
    assert (config.metering.stale_after_s, config.metering.max_nodes) == (3600, 8)
    assert config.usage_keys["instance_type"] == ("flavor",)
    assert config.usage_keys["nodes"] == ("hosts",)
    assert config.usage_keys["gpu_type"] == ("gpu_type",)
    assert config.receivers[1].channels == {
        "slack": {"channel": "#ops"},
        "email": {"to": "a@x.example, B <b@x.example>"},
    }
    assert (config.receivers[0].channels, config.receivers[1].group) == ({"console": {}}, False)
    assert (config.slack.mode, config.slack.base_url, config.slack.allowed_users) == (
        "http",
        "http://127.0.0.1:9/api",
        ("U1",),
    )
    assert config.email is not None
    assert (config.email.port, config.email.ca_file) == (587, "config/ca.pem")
    assert (config.web.host, config.web.port, config.web.public_url) == ("::1", 0, "https://budgets.example.com")
    assert config.operators == "ops"


def test_the_tracking_server_of_the_environment_is_the_default(folder: Folder) -> None:
    assert folder.load().sources[0].tracking_uri == "http://127.0.0.1:5000"
    folder.environ["MLFLOW_TRACKING_URI"] = "http://mlflow:5000/"
    source = folder.load().sources[0]
    assert (source.name, source.tracking_uri, source.ui_url) == ("main", "http://mlflow:5000", "http://mlflow:5000")


def test_a_budget_takes_its_files_defaults(folder: Folder) -> None:
    folder.write("alerter.yaml", "receivers: [{name: ml, console: {}}, {name: oncall, console: {}}]\n")
    folder.write(
        "budgets.yaml",
        """\
        defaults:
          {timezone: Europe/Berlin, period: monthly, thresholds: [80%, 100%, forecast 100%], receivers: ml, beyond: 50%}
        budgets:
          - name: fraud
            match: {project: fraud-detection, cost_center: [b, a]}
            amount: "5000.50"
          - name: teams
            id: t1
            group_by: team
            amounts: [{from: 2026-04-01, amount: 6}, {from: 2026-01-01, amount: 5}]
            receivers: ["{team}-costs", ml]
            thresholds: [{at: 100%, receivers: [oncall], mention: "@ml-oncall"}]
            beyond: 0
            components: [tokens, machines]
            owner: "@lead"
            timezone: UTC
            overrides: [{team: vision, amount: 12, owner: "@vision"}, {team: "nlp-*", owner: "@nlp"}]
        """,
    )
    fraud, teams = folder.load().budgets
    assert fraud.amounts == ((date.min, 5000_500_000_000),)
    assert fraud.match == (("cost_center", ("b", "a")), ("project", ("fraud-detection",)))
    assert [str(each) for each in fraud.thresholds] == ["80%", "100%", "forecast 100%"]
    assert (fraud.id, fraud.timezone, fraud.currency, fraud.receivers, fraud.beyond, fraud.source) == (
        *("fraud", "Europe/Berlin", "USD", ("ml",), 50, "config/budgets.yaml:4"),
    )
    assert teams.thresholds == (Threshold(Basis.ACTUAL, 100, ("oncall",), "@ml-oncall"),)
    assert teams.amounts == ((date.min, 5 * NANOS), (date(2026, 4, 1), 6 * NANOS))
    assert (teams.id, teams.timezone, teams.beyond, teams.group_by) == ("t1", "UTC", 0, ("team",))
    assert (teams.receivers, teams.components, teams.owner) == (("{team}-costs", "ml"), ("machines", "tokens"), "@lead")
    assert teams.overrides == (
        Override((("team", "vision"),), 12 * NANOS, "@vision"),
        Override((("team", "nlp-*"),), None, "@nlp"),
    )
    assert teams.amount_on((("team", "vision"),), date(2026, 5, 1)) == 12 * NANOS


def test_without_a_word_on_thresholds_it_warns_at_80_and_100_and_each_further_25(folder: Folder) -> None:
    (budget,) = folder.load().budgets
    assert [str(each) for each in budget.thresholds] == ["80%", "100%"]
    assert (budget.beyond, budget.timezone) == (25, "UTC")


PERIODS = [
    ("daily", PeriodSpec(PeriodKind.DAILY)),
    ("weekly", PeriodSpec(PeriodKind.WEEKLY)),
    ("monthly", PeriodSpec(PeriodKind.MONTHLY)),
    ("quarterly", PeriodSpec(PeriodKind.QUARTERLY)),
    ("yearly", PeriodSpec(PeriodKind.YEARLY)),
    ("yearly, fiscal_year_start: 4", PeriodSpec(PeriodKind.YEARLY, fiscal_month=4)),
    ("quarterly, fiscal_year_start: February", PeriodSpec(PeriodKind.QUARTERLY, fiscal_month=2)),
    ("{weekly: sunday}", PeriodSpec(PeriodKind.WEEKLY, week_start=6)),
    ("{weekly: Tue}", PeriodSpec(PeriodKind.WEEKLY, week_start=1)),
    ("{rolling_days: 30}", PeriodSpec(PeriodKind.ROLLING, days=30)),
    (
        "{from: 2026-01-01, to: 2026-04-01}",
        PeriodSpec(PeriodKind.FIXED, first=date(2026, 1, 1), end=date(2026, 4, 1)),
    ),
]


@pytest.mark.parametrize(("text", "spec"), PERIODS)
def test_every_period(folder: Folder, text: str, spec: PeriodSpec) -> None:
    folder.write("budgets.yaml", f"budgets:\n  - {{name: a, amount: 1, receivers: console, period: {text}}}\n")
    assert folder.load().budgets[0].period == spec


def test_a_fiscal_year_of_the_defaults_counts_for_quarters_and_years_only(folder: Folder) -> None:
    folder.write(
        "budgets.yaml",
        """\
        defaults: {fiscal_year_start: apr, receivers: console, period: yearly}
        budgets: [{name: a, amount: 1}, {name: b, amount: 1, period: daily}]
        """,
    )
    assert [each.period.fiscal_month for each in folder.load().budgets] == [4, 1]


def test_plain_words_of_yaml_stay_what_they_look_like(folder: Folder) -> None:
    folder.write(
        "budgets.yaml",
        """\
        budgets:
          - name: no
            amount: 0500
            period: daily
            receivers: console
            match: {on: [off, 0123, 2026-01-01, 1:30, 0x1F]}
        """,
    )
    (budget,) = folder.load().budgets
    assert budget.name == "no"
    assert budget.match == (("on", ("off", "0123", "2026-01-01", "1:30", "0x1F")),)
    assert budget.amounts == ((date.min, 500 * NANOS),)


def test_patterns_are_cleaned_like_the_values_that_they_match(folder: Folder) -> None:
    folder.write("alerter.yaml", "tags: {casefold: [team], aliases: {team: {' Computer Vision ': Vision}}}\n")
    folder.write(
        "budgets.yaml",
        """\
        defaults: {period: daily, receivers: console}
        budgets:
          - {name: a, amount: 1, match: {team: [VISION, Computer Vision, "NLP-*"], project: Fraud}}
          - {name: b, amount: 1, group_by: team, overrides: [{team: Vision, amount: 2}]}
        """,
    )
    config = folder.load()
    assert config.budgets[0].match == (("project", ("Fraud",)), ("team", ("vision", "vision", "nlp-*")))
    assert config.budgets[1].overrides[0].where == (("team", "vision"),)
    assert config.tags.clean("team", " COMPUTER vision") == "vision"


def test_a_folder_of_budgets_has_defaults_of_its_own_in_each_file(folder: Folder) -> None:
    (folder.path / "budgets.yaml").unlink()
    for team, zone in (("a", "UTC"), ("b", "Asia/Tokyo")):
        folder.write(
            f"budgets/{team}.yaml",
            f"""\
            defaults: {{timezone: {zone}, period: daily, receivers: console}}
            budgets: [{{name: {team}, amount: 1}}]
            """,
        )
    folder.write("budgets/.swap.yaml", "not: [yaml\n")
    config = folder.load()
    assert [(each.name, each.timezone, each.source) for each in config.budgets] == [
        ("a", "UTC", "config/budgets/a.yaml:2"),
        ("b", "Asia/Tokyo", "config/budgets/b.yaml:2"),
    ]


def test_the_digest_follows_what_files_say_and_not_how(folder: Folder) -> None:
    first = folder.load().digest
    folder.write(
        "budgets.yaml", "# a comment\nbudgets:\n- receivers: [console]\n  period: monthly\n  amount: 100\n  name: all\n"
    )
    assert folder.load().digest == first
    folder.write("budgets.yaml", "budgets: [{name: all, amount: 101, period: monthly, receivers: [console]}]\n")
    assert folder.load().digest != first


def test_the_digest_follows_a_catalog_too(folder: Folder) -> None:
    folder.write("prices.yaml", "catalogs: [{file: ours.csv}]\n")
    folder.write("ours.csv", "a")
    first = folder.load()
    folder.write("ours.csv", "b")
    assert folder.load().digest != first.digest
    assert Path("config/ours.csv") in first.files


def test_a_budgets_revision_follows_its_meaning(folder: Folder) -> None:
    def revision(text: str) -> str:
        folder.write("budgets.yaml", f"budgets:\n{text}\n")
        return budget_revision(folder.load().budgets[0])

    first = revision("  - {name: a, amount: 5, period: daily, receivers: console}")
    assert revision('\n\n  - {period: daily, name: a, amount: "5.00", receivers: [console]}') == first
    assert revision("  - {name: a, amount: 6, period: daily, receivers: console}") != first


def test_a_configuration_can_be_made_in_code() -> None:
    config = Config()
    assert config.receiver_names == {"console"}
    assert config.poll.every_s == 60
