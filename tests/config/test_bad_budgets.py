"""Every mistake in a file of budgets: the exact place, and the words that help."""

import pytest

from tests.config.conftest import Folder

HEAD = """\
defaults: {receivers: [console], period: monthly}
budgets:
"""
"""Two lines; the budgets of the table begin in line 3."""

CASES = [
    # what stands in line 3 and after, line:column, words
    ("  - {name: a, amonut: 5}", "3:15", "unknown key 'amonut' in a budget; did you mean 'amount'?"),
    ("  - {name: a}", "3:5", "a budget needs 'amount'"),
    ("  - {amount: 5}", "3:5", "a budget needs 'name'"),
    ("  - {name: a, amount: }", "3:5", "a budget needs 'amount'"),
    ("  - {name: a, amount: 0}", "3:23", "0' is not an amount: it must be greater than 0"),
    ('  - {name: a, amount: "-5"}', "3:23", "'-5' is not an amount: it must be greater than 0"),
    ("  - {name: a, amount: -5}", "3:23", "must be greater than 0"),
    ('  - {name: a, amount: "1e30"}', "3:23", "too large: the most is 9200000000"),
    ("  - {name: a, amount: 1e30}", "3:23", "'1e30' is no number to count with"),
    ('  - {name: a, amount: "1e-30"}', "3:23", "too small"),
    ("  - {name: a, amount: 1234.50}", "3:23", 'must be quoted, so that it stays exact: write "1234.50"'),
    ("  - {name: a, amount: .inf}", "3:23", "'.inf' is no number to count with"),
    ('  - {name: a, amount: "inf"}', "3:23", "'inf' is not a number"),
    ('  - {name: a, amount: "NaN"}', "3:23", "'NaN' is not a number"),
    ('  - {name: a, amount: "1,234.50"}', "3:23", "'1,234.50' is not a number: write \"1234.50\""),
    ('  - {name: a, amount: "12,50"}', "3:23", "'12,50' is not a number: write it like \"1234.56\""),
    ('  - {name: a, amount: "$5"}', "3:23", "'$5' is not a number"),
    ("  - {name: a, amount: yes}", "3:23", "'yes' is not a number"),
    ("  - {name: a, amount: true}", "3:23", "expected a number in quotes"),
    ("  - {name: a, amount: [5]}", "3:23", 'expected a number in quotes, such as "1234.56", got a list'),
    ("  - {name: a, amount: 5, amounts: [{from: 2026-01-01, amount: 5}]}", "3:26", "'amount' or 'amounts', not both"),
    ("  - {name: a, amounts: []}", "3:24", "needs at least 1 entry"),
    (
        "  - name: a\n    amounts:\n      - {from: 2026-01-01, amount: 5}\n      - {from: 2026-01-01, amount: 6}",
        "6:16",
        "two amounts begin on 2026-01-01",
    ),
    ("  - {name: a, amounts: [{from: 2026-02-30, amount: 5}]}", "3:32", "'2026-02-30' is not a day of the calendar"),
    ("  - {name: a, amounts: [{from: 1.2.2026, amount: 5}]}", "3:32", "expected a date, such as 2026-01-31"),
    ("  - {name: a, amounts: [{from: 1026-01-01, amount: 5}]}", "3:32", "from 1970 to 2200"),
    ("  - {name: a, amount: 5, timezone: Europe/Berln}", "3:36", "did you mean 'Europe/Berlin'?"),
    ("  - {name: a, amount: 5, timezone: Berlin}", "3:36", "unknown time zone 'Berlin'; did you mean 'Europe/Berlin'?"),
    ("  - {name: a, amount: 5, timezone: ../../etc/passwd}", "3:36", "unknown time zone"),
    ("  - {name: a, amount: 5, timezone: 5}", "3:36", "expected an IANA time zone, such as Europe/Berlin, got a whole"),
    ("  - {name: a, amount: 5, currency: usd}", "3:36", "did you mean 'USD'?"),
    ("  - {name: a, amount: 5, currency: Dollar}", "3:36", "expected an ISO-4217 code"),
    ("  - {name: a, amount: 5, currency: EUR}", "3:36", "currency EUR differs from the prices' USD"),
    ("  - {name: a, amount: 5, period: montly}", "3:34", "unknown period 'montly'; did you mean 'monthly'?"),
    ("  - {name: a, amount: 5, period: annual}", "3:34", "did you mean 'yearly'?"),
    ("  - {name: a, amount: 5, period: 30}", "3:34", "expected a period (daily, weekly"),
    ("  - {name: a, amount: 5, period: {weekly: sonday}}", "3:43", "did you mean 'sunday'?"),
    ("  - {name: a, amount: 5, period: {weakly: sunday}}", "3:35", "unknown key 'weakly' in a period"),
    ("  - {name: a, amount: 5, period: {rolling_days: 0}}", "3:49", "must be at least 1"),
    ("  - {name: a, amount: 5, period: {rolling_days: x}}", "3:49", "expected a whole number, got text"),
    ("  - {name: a, amount: 5, period: {from: 2026-01-01}}", "3:34", "needs both 'from' and 'to'"),
    ("  - {name: a, amount: 5, period: {from: 2026-02-01, to: 2026-02-01}}", "3:34", "must be later than 2026-02-01"),
    ("  - {name: a, amount: 5, period: {weekly: sun, rolling_days: 3}}", "3:34", "expected one of daily"),
    ("  - {name: a, amount: 5, fiscal_year_start: 4}", "3:26", "only a quarterly or yearly budget"),
    ("  - {name: a, amount: 5, period: yearly, fiscal_year_start: 13}", "3:61", "a month from 1 to 12, got 13"),
    ("  - {name: a, amount: 5, period: yearly, fiscal_year_start: Aprl}", "3:61", "did you mean 'april'?"),
    ("  - {name: a, amount: 5, thresholds: [80]}", "3:39", "a threshold is a percentage: write 80%"),
    ("  - {name: a, amount: 5, thresholds: [80.5%]}", "3:39", "a whole percentage"),
    ("  - {name: a, amount: 5, thresholds: [0%]}", "3:39", "from 1% to 10000%"),
    ("  - {name: a, amount: 5, thresholds: [80%, 80 %]}", "3:44", "threshold 80% stands twice"),
    ("  - {name: a, amount: 5, thresholds: []}", "3:38", "needs at least 1 entry"),
    ("  - {name: a, amount: 5, thresholds: 80%}", "3:38", "expected a list, got text"),
    ("  - {name: a, amount: 5, thresholds: [{receivers: [console]}]}", "3:39", "a threshold needs 'at'"),
    ("  - {name: a, amount: 5, thresholds: [{at: 80%, reciever: x}]}", "3:49", "unknown key 'reciever'"),
    ("  - {name: a, amount: 5, thresholds: [{at: 80%, receivers: [oncal]}]}", "3:61", "unknown receiver 'oncal'"),
    ("  - {name: a, amount: 5, period: {rolling_days: 9}, thresholds: [forecast 90%]}", "3:66", "has no forecast"),
    ("  - {name: a, amount: 5, beyond: -1}", "3:34", "expected a whole percentage, such as 25"),
    ("  - {name: a, amount: 5, components: [machine]}", "3:39", "did you mean 'machines'?"),
    ("  - {name: a, amount: 5, receivers: [consle]}", "3:38", "unknown receiver 'consle'; did you mean 'console'?"),
    ("  - {name: a, amount: 5, receivers: []}", "3:37", "names nobody"),
    ('  - {name: a, amount: 5, receivers: ["{team}-x", console]}', "3:38", "this budget has no group_by"),
    ('  - {name: a, amount: 5, group_by: [team], receivers: ["{taem}", console]}', "3:56", "did you mean 'team'?"),
    (
        '  - {name: a, amount: 5, group_by: [team], receivers: ["{team}-costs"]}',
        "3:55",
        "no receiver of alerter.yaml fits",
    ),
    ("  - {name: a, amount: 5, group_by: [team, team]}", "3:43", "tag 'team' stands twice"),
    ("  - {name: a, amount: 5, group_by: [team], overrides: [{taem: x, amount: 6}]}", "3:57", "did you mean 'team'?"),
    ("  - {name: a, amount: 5, overrides: [{team: x, amount: 6}]}", "3:39", "this budget has no group_by"),
    ("  - {name: a, amount: 5, group_by: team, overrides: [{amount: 6}]}", "3:54", "needs a tag of group_by"),
    ("  - {name: a, amount: 5, group_by: team, overrides: [{team: x}]}", "3:54", "needs 'amount' or 'owner'"),
    ("  - {name: a, amount: 5, group_by: team, overrides: [{team: 5, owner: x}]}", "3:61", 'quote it, "5"'),
    ("  - {name: a, amount: 5, match: {gpu: true}}", "3:39", 'expected text, got true or false: quote it, "true"'),
    ("  - {name: a, amount: 5, match: {cost_center: 1.10}}", "3:47", 'quote it, "1.10"'),
    ("  - {name: a, amount: 5, match: {team: []}}", "3:40", "needs at least 1 entry"),
    ("  - {name: a, amount: 5, match: team}", "3:33", "expected a mapping (key: value), got text"),
    ('  - {name: "a\\nb", amount: 5}', "3:12", "one line"),
    ('  - {name: "", amount: 5}', "3:12", "must not be empty"),
    ("  - {name: a, amount: 5, name: b}", "3:26", "duplicate key 'name': it stands on line 3 already"),
    (
        "  - {name: a, amount: 5}\n  - {name: A, amount: 6}",
        "4:12",
        "budget 'A' stands at config/budgets.yaml:3 already",
    ),
    (
        "  - {name: a, amount: 5}\n  - {name: b, id: a, amount: 6}",
        "4:19",
        "budget id 'a' stands at config/budgets.yaml:3",
    ),
    ("  - text", "3:5", "expected a mapping (key: value), got text"),
    # planned, and not built: never silently accepted
    ("  - {name: a, amount: 5, rollover: true}", "3:26", "unknown key 'rollover'"),
    ("  - {name: a, amount: 5, quiet_hours: 22-6}", "3:39", "expected hours, such as {from: "),
    ("  - {name: a, amount: 5, quiet_hours: {from: 22:00}}", "3:39", "quiet_hours needs 'to'"),
    ("  - {name: a, amount: 5, quiet_hours: {from: 25:00, to: '7'}}", "3:46", "expected a time of day in quotes"),
    ("  - {name: a, amount: 5, quiet_hours: {from: '22:00', to: '22:00'}}", "3:39", "would be no hours, or all"),
    ("  - {name: a, amount: 5, min_alert: -5}", "3:37", "'-5' is not an amount: it must not be negative"),
    ("  - {name: a, amount: 5, repeat_interval: 5s}", "3:43", "too short: at least 1m, or 'never'"),
    ("  - {name: a, amount: 5, repeat_on: weekday}", "3:37", "did you mean 'weekdays'?"),
    ("  - {name: a, amount: 5, mode: observer}", "3:32", "did you mean 'observe'?"),
    ("  - {name: a, amount: 5, escalate_too: x}", "3:26", "did you mean 'escalate_to'?"),
    ("  - {name: a, amount: 5, per_run: true}", "3:35", "expected a number in quotes"),
    ("  - {name: a, amount: 5, per_hour: true}", "3:26", "unknown key 'per_hour'"),
    ("  - {name: a, amount: 5, escalate_to: x}", "3:39", "unknown receiver 'x'"),
    ("  - {name: a, amount: 5, enabled: false}", "3:26", "unknown key 'enabled'"),
]


@pytest.mark.parametrize(("text", "place", "words"), CASES)
def test_a_mistake_is_told_with_its_place(folder: Folder, text: str, place: str, words: str) -> None:
    folder.write("budgets.yaml", HEAD + text + "\n")
    found = [each for each in folder.problems() if each.startswith(f"config/budgets.yaml:{place}: ")]
    assert any(words in each for each in found), folder.problems()


def test_an_entry_with_a_mistake_does_not_make_its_list_empty(folder: Folder) -> None:
    folder.write("budgets.yaml", HEAD + "  - {name: a, amount: 5, thresholds: [80]}\n")
    assert [each for each in folder.problems() if "budgets.yaml" in each] == [
        "config/budgets.yaml:3:39: a threshold is a percentage: write 80%"
    ]


WHOLE_FILES = [
    ("", "1:1", "a file of budgets needs 'budgets'"),
    ("# nothing yet\n", "1:1", "a file of budgets needs 'budgets'"),
    ("budgets:\n", "1:1", "'budgets' has no value"),
    ("budgets: []\n", "1:10", "needs at least 1 entry"),
    ("- name: a\n", "1:1", "expected a mapping (key: value), got a list"),
    ("budget:\n  - {name: a}\n", "1:1", "unknown key 'budget' in a file of budgets; did you mean 'budgets'?"),
    ("budgets:\n\t- a\n", "2:1", "indent with spaces"),
    ("budgets: [\n", "2:1", "is not YAML"),
    ("budgets: a: b\n", "1:11", "a second ': ' in one line"),
    ("budgets: [a]\n---\nbudgets: [a]\n", "2:1", "a second document"),
    ("budgets: [*a]\n", "1:11", "undefined alias"),
    ("budgets: &a [*a]\n", "1:10", "an alias can't stand inside the value that it repeats"),
    ("budgets: !!python/object:os.system [a]\n", "1:10", "the tag 'python/object:os.system' is not supported"),
    ("x: &x {period: monthly}\nbudgets:\n  - <<: *x\n", "3:5", "merge key << is not supported"),
    ("budgets:\n  ? [a]\n  : b\n", "2:5", "a key must be text"),
    ("budgets: [" + "[" * 50_000, "1:49", "nested more than 40 deep"),
    ("defaults: {timezone: Mars/Base}\nbudgets:\n  - {name: a, amount: x}\n", "1:22", "unknown time zone 'Mars/Base'"),
    ("defaults: {timezone: Mars/Base}\nbudgets:\n  - {name: a, amount: x}\n", "3:23", "'x' is not a number"),
]


@pytest.mark.parametrize(("text", "place", "words"), WHOLE_FILES)
def test_a_file_that_is_wrong_as_a_whole(folder: Folder, text: str, place: str, words: str) -> None:
    folder.write("budgets.yaml", text)
    found = [each for each in folder.problems() if each.startswith(f"config/budgets.yaml:{place}: ")]
    assert any(words in each for each in found), folder.problems()


def test_a_mistake_in_the_defaults_is_told_once(folder: Folder) -> None:
    folder.write(
        "budgets.yaml",
        """\
        defaults: {receivers: [nobody], period: monthly}
        budgets:
          - {name: a, amount: 5}
          - {name: b, amount: 5}
        """,
    )
    assert folder.problems() == [
        "config/budgets.yaml:1:24: unknown receiver 'nobody'; alerter.yaml has console",
    ]


def test_what_every_budget_must_have_is_told_at_each(folder: Folder) -> None:
    folder.write("budgets.yaml", "budgets:\n  - {name: a, amount: 5}\n")
    assert folder.problems() == [
        "config/budgets.yaml:2:5: a budget needs 'period', such as monthly",
        "config/budgets.yaml:2:5: a budget needs 'receivers': names of alerter.yaml that are told",
    ]


def test_two_files_of_a_folder_may_not_share_a_name(folder: Folder) -> None:
    (folder.path / "budgets.yaml").unlink()
    for team in ("a", "b"):
        folder.write(
            f"budgets/{team}.yaml", "budgets:\n  - {name: gpu, amount: 5, period: daily, receivers: console}\n"
        )
    assert folder.problems() == [
        (
            "config/budgets/b.yaml:2:12: budget 'gpu' stands at config/budgets/a.yaml:2 already: "
            "give one of them another name"
        )
    ]


def test_without_budgets_there_is_nothing_to_do(folder: Folder) -> None:
    (folder.path / "budgets.yaml").rename(folder.path / "budget.yaml")
    (problem,) = folder.problems()
    assert problem.startswith("config/budgets.yaml: not found (is it 'budget.yaml'?): write at least one budget there")


def test_bytes_that_are_no_text_have_a_place(folder: Folder) -> None:
    (folder.path / "budgets.yaml").write_bytes(b"budgets:\n  - {name: \xff}\n")
    assert folder.problems() == ["config/budgets.yaml:2:12: is not UTF-8: save the file in that encoding"]
