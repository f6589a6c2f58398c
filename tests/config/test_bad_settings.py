"""Every mistake in alerter.yaml and prices.yaml: the exact place, and the words that help."""

from collections.abc import Callable

import pytest

from tests.config.conftest import Folder

ALERTER = [
    ("sourcs: []", "1:1", "unknown key 'sourcs' in alerter.yaml; did you mean 'sources'?"),
    ("quiet_hours: 22-6", "1:1", "unknown key 'quiet_hours' in alerter.yaml"),
    ("[]", "1:1", "expected a mapping (key: value), got a list"),
    ("poll: {every: 60}", "1:15", "expected a duration with its unit, such as 60s or 15m"),
    ("poll: {every: 1.5}", "1:15", "with its unit, such as 1.5s"),
    ("poll: {every: 0s}", "1:15", "must be longer than 0s"),
    ("poll: {every: soon}", "1:15", "expected a duration, such as 60s"),
    ("poll: {page_size: 50001}", "1:19", "must be at most 50000"),
    ("poll: {page_size: lots}", "1:19", "expected a whole number, got text"),
    ("poll: {overlap_s: 3s}", "1:8", "unknown key 'overlap_s' in poll; did you mean 'overlap'?"),
    ("poll: 60s", "1:7", "expected a mapping (key: value), got text"),
    (
        "metering: {keys: {instance_typ: [flavor]}}",
        "1:19",
        "unknown quantity 'instance_typ'; did you mean 'instance_type'?",
    ),
    ("metering: {keys: {nodes: [5]}}", "1:27", 'quote it, "5"'),
    ("tags: {trim: yes}", "1:14", "expected true or false, got text: write true"),
    ("tags: {trim: on}", "1:14", "write true"),
    ("tags: {trim: no}", "1:14", "write false"),
    ("tags: {trim: 1}", "1:14", "expected true or false, got a whole number"),
    ("tags: {casefold: team, aliases: {team: {CV: a, cv: b}}}", "1:48", "alias 'cv' has two names"),
    ("sources: [{name: main}, {name: main}]", "1:32", "source 'main' stands twice"),
    ("sources: [{name: my server}]", "1:18", "expected letters, digits, '.', '_' and '-', got 'my server'"),
    ("sources: [{tracking_uri: databricks}]", "1:11", "a source needs 'name'"),
    ("sources: [{name: a, tracking_uri: localhost:5000}]", "1:35", "did you mean 'http://localhost:5000'?"),
    ("sources: [{name: a, tracking_uri: ./mlruns}]", "1:35", "expected http://... or https://"),
    ("sources: [{name: a, tracking_uri: 'http://'}]", "1:35", "names no host"),
    ("sources: [{name: a, tracking_uri: 'http://h:x'}]", "1:35", "is not a valid address"),
    ("sources: [{name: a, tracking_uri: 'http://me:p/ss@h'}]", "1:35", "'(hidden)' is not a valid address"),
    ("sources: [{name: a, tracking_uri: 'me:pass@h:5000'}]", "1:35", "got '(hidden)'"),
    ("sources: [{name: a, tracking_uri: 'http://h/m/#/experiments/1'}]", "1:35", "did you mean 'http://h/m'?"),
    ("sources: [{name: a, tracking_uri: 'sqlite://x.db'}]", "1:35", "names no file: write sqlite:///alerter.db"),
    ("sources: [{name: a, tracking_uri: 'postgresql://db/mlflow'}]", "1:35", "is its `backend_store:`"),
    (
        "sources: [{name: a, backend_store: 'mysql://db/mlflow'}]",
        "1:36",
        "expected sqlite:///file or postgresql+psycopg",
    ),
    ("database: alerter.db", "1:11", "expected sqlite:///file or postgresql"),
    ("database: sqllite:///alerter.db", "1:11", "did you mean 'sqlite'?"),
    ("receivers: [{name: a}]", "1:13", "a receiver needs a channel"),
    ("receivers: [{name: a, slak: {channel: x}}]", "1:23", "unknown key 'slak' in a receiver; did you mean 'slack'?"),
    ("receivers: [{name: a, console: {}}, {name: a, console: {}}]", "1:44", "receiver 'a' stands twice"),
    ("receivers:\n  - name: a\n    slack: {channel: #ml-costs\n    }", "3:13", "a # begins a comment in YAML"),
    ('receivers: [{name: a, slack: {channel: "a b"}}]', "1:40", "expected a channel such as"),
    ("receivers: [{name: a, email: {to: [a@x.example]}}]", "1:23", "needs a section `email: {host: ..., from: ...}`"),
    ("receivers: [{name: a, email: {to: [nobody]}}]", "1:36", "'nobody' is not an e-mail address"),
    ("receivers: [{name: a, email: {to: []}}]", "1:35", "needs at least 1 entry"),
    ('receivers: [{name: "{team}", console: {}}]', "1:20", "expected a name without braces"),
    ("receivers: [{name: a, console: {}, group: off}]", "1:43", "write false"),
    ("digests: [{every: daily}]", "1:11", "a digest needs 'receivers'"),
    ("digests: [{every: hourly, receivers: console}]", "1:19", "expected daily or weekly, got 'hourly'"),
    ("digests: [{every: daily, receivers: consol}]", "1:37", "unknown receiver 'consol'; did you mean 'console'?"),
    ("digests: [{every: daily, receivers: console, at: noon}]", "1:50", "expected a time of day in quotes"),
    ("digests: [{every: daily, receivers: console, on: friday}]", "1:46", "only a weekly digest has a day"),
    ("digests: [{every: weekly, receivers: console, on: someday}]", "1:51", "unknown day of the week 'someday'"),
    ("digests: [{every: weekly, receivers: console, weekdays_only: true}]", "1:47", "a weekly one has 'on'"),
    ("digests: [{every: daily, receivers: console, budgets: [fraut]}]", "1:56", "unknown budget 'fraut'"),
    ("digests: [{every: daily, receivers: console, budgets: [x-*]}]", "1:56", "no budget fits 'x-*'"),
    (
        "digests: [{every: daily, receivers: console}, {every: daily, receivers: console}]",
        "1:47",
        "two digests are daily: give each a 'name' of its own",
    ),
    ("operators: nobody", "1:12", "unknown receiver 'nobody'; receivers are console"),
    ("slack: {mode: sockets}", "1:15", "expected socket or http, got 'sockets'; did you mean 'socket'?"),
    ("slack: {command: budget}", "1:18", "expected a slash command such as /budget, got 'budget'"),
    ("slack: {allowed_users: U1}", "1:24", "expected a list, got text"),
    ("email: {host: h, form: a@x.example}", "1:18", "unknown key 'form' in email; did you mean 'from'?"),
    ("email: {host: h, from: a@x.example, port: 0}", "1:43", "must be at least 1"),
    ("email: {host: h, from: a@x.example, ca_file: ca.pem}", "1:46", "no such file: 'config/ca.pem'"),
    ("web: {listen: 8321}", "1:15", 'expected text, got a whole number: quote it, "8321"'),
    ("web: {listen: localhost}", "1:15", "'localhost' is not host:port"),
    ("web: {listen: 'localhost:99999'}", "1:15", "is not host:port"),
    ("web: {public_url: budgets.example.com}", "1:19", "expected http://"),
]


@pytest.mark.parametrize(("text", "place", "words"), ALERTER)
def test_a_mistake_in_alerter_yaml(alone: Callable[[str, str], list[str]], text: str, place: str, words: str) -> None:
    problems = alone("alerter.yaml", text + "\n")
    found = [each for each in problems if each.startswith(f"config/alerter.yaml:{place}: ")]
    assert any(words in each for each in found), problems


PRICES = [
    ("curency: USD", "1:1", "did you mean 'currency'?"),
    ("prices: [{match: {instance_type: x}, per_instance_hour: 1.5}]", "1:57", 'write "1.5"'),
    ("prices: [{match: {instance_type: x}, per_instance_hour: '-1'}]", "1:57", "must not be negative"),
    ("currency: EUR\ncatalogs: [builtin]", "2:11", "built-in catalog is in USD"),
    ("catalogs: [{file: ours.csv}]", "1:19", "no such file"),
]


@pytest.mark.parametrize(("text", "place", "words"), PRICES)
def test_a_mistake_in_prices_yaml(alone: Callable[[str, str], list[str]], text: str, place: str, words: str) -> None:
    problems = alone("prices.yaml", text + "\n")
    found = [each for each in problems if each.startswith(f"config/prices.yaml:{place}: ")]
    assert any(words in each for each in found), problems


def test_every_problem_of_every_file_comes_at_once_in_order(folder: Folder) -> None:
    folder.write("alerter.yaml", "receivers:\n  - {name: ops, console: {}}\npoll: {every: 5}\ntags: {trm: true}\n")
    folder.write("prices.yaml", "currency: EURO\n")
    folder.write(
        "budgets.yaml", "budgets:\n  - {name: a, amount: 0}\n  - {name: b, amount: 1, period: daily, receivers: op}\n"
    )
    assert [each.split(" ")[0] for each in folder.problems()] == [
        "config/alerter.yaml:3:15:",
        "config/alerter.yaml:4:8:",
        "config/budgets.yaml:2:23:",
        "config/budgets.yaml:3:52:",
        "config/prices.yaml:1:11:",
    ]


def test_an_unreadable_alerter_yaml_says_nothing_of_receivers(folder: Folder) -> None:
    folder.write("alerter.yaml", "receivers: [\n")
    folder.write("budgets.yaml", "budgets:\n  - {name: a, amount: 1, period: daily, receivers: anybody}\n")
    assert [each.split(" ")[0] for each in folder.problems()] == ["config/alerter.yaml:2:1:"]


def test_a_file_with_the_other_suffix_is_not_ignored(folder: Folder) -> None:
    folder.write("alerter.yml", "{}\n")
    assert "config/alerter.yml: is not read: rename it to alerter.yaml" in folder.problems()


def test_a_folder_that_is_not_there(folder: Folder) -> None:
    folder.path = folder.path / "nowhere"
    assert folder.problems() == ["config/nowhere: no such folder: name it by --config DIR or $ALERTER_CONFIG"]


def test_a_tracking_uri_of_the_environment_is_checked_too(folder: Folder) -> None:
    folder.environ["MLFLOW_TRACKING_URI"] = "localhost:5000"
    (problem,) = folder.problems()
    assert problem.startswith("$MLFLOW_TRACKING_URI: expected http://")
    assert "did you mean 'http://localhost:5000'?" in problem
