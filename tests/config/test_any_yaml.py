"""Whatever stands in the files, the only answer is a configuration or a `ConfigError`."""

import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.config import ConfigError, Problem, load, schema
from alerter.config.yaml_files import YamlFloat, parse_yaml
from tests.config.conftest import BUDGETS, Folder

FILES = ("alerter.yaml", "budgets.yaml", "prices.yaml")


def words_of(tree: Any) -> set[str]:  # noqa: ANN401 - a JSON document
    """Return the keys that a schema names, so that what is drawn gets past the first check."""
    if isinstance(tree, dict):
        return set(tree.get("properties", {})).union(*(words_of(each) for each in tree.values()))
    return set().union(*(words_of(each) for each in tree)) if isinstance(tree, list) else set()


KEYS = st.sampled_from(sorted(words_of(schema()))) | st.text(max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.sampled_from(
        ["80%", "forecast 100%", "monthly", "60s", "5", "1e999999", "{team}", "console", "#a", "a@b.example"]
    )
    | st.sampled_from(
        ["http://[", "http://a:b", "sqlite://", "postgresql://u@h", "xoxb-1-hunter2", "builtin", "Europe/x"]
    )
    | st.sampled_from(["9" * 5000, "9" * 39, "../..", "/", "con\0", "\ud800".encode("utf-8", "replace").decode()])
)
TREES = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=4) | st.dictionaries(KEYS, each, max_size=5), max_leaves=25
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(name=st.sampled_from(FILES), tree=TREES)
def test_any_values_are_loaded_or_refused(folder: Folder, name: str, tree: object) -> None:
    check(folder, name, yaml.safe_dump(tree, allow_unicode=True).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(name=st.sampled_from(FILES), tree=st.dictionaries(KEYS, TREES, min_size=1, max_size=6))
def test_any_budget_is_loaded_or_refused(folder: Folder, name: str, tree: dict[str, object]) -> None:
    key = {"alerter.yaml": "sources", "budgets.yaml": "budgets", "prices.yaml": "prices"}[name]
    usual = {"name": "a", "amount": 5, "period": "monthly", "receivers": "console"} if key == "budgets" else {}
    check(folder, name, yaml.safe_dump({key: [usual | tree]}).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    name=st.sampled_from(FILES),
    text=st.text(alphabet=string.printable + "é\u2028\u0085\ufeff🙂") | st.binary(max_size=60),
)
def test_any_text_is_loaded_or_refused(folder: Folder, name: str, text: str | bytes) -> None:
    check(folder, name, text if isinstance(text, bytes) else text.encode())


def check(folder: Folder, name: str, content: bytes) -> None:
    for each in FILES:
        (folder.path / each).unlink(missing_ok=True)
    folder.write("budgets.yaml", BUDGETS)
    (folder.path / name).write_bytes(content)
    lines = content.decode("utf-8", "replace").splitlines() or [""]
    for problem in problems_of(folder):
        assert 0 <= problem.line <= len(lines) + 1
        assert "\n" not in str(problem)
        assert "hunter2" not in str(problem)


def problems_of(folder: Folder) -> tuple[Problem, ...]:
    try:
        load(folder.path, {})
    except ConfigError as error:
        return error.problems or pytest.fail("an error without a problem")
    return ()


def test_a_float_keeps_its_text() -> None:
    data = parse_yaml("[1.50, .5, 1e3, -2.5e-3, .inf, 1.2.3, 1_000.5, 5., 08, 1:30]", Path("x")).data
    assert [each.text if isinstance(each, YamlFloat) else each for each in data] == [
        *("1.50", ".5", "1e3", "-2.5e-3", ".inf", "1.2.3", "1_000.5", "5.", "08", "1:30"),
    ]
    assert [isinstance(each, YamlFloat) for each in data] == [True] * 5 + [False, False, True, False, False]


def test_aliases_work_and_do_not_explode() -> None:
    assert parse_yaml("a: &a [1]\nb: *a\n", Path("x")).data == {"a": [1], "b": [1]}
    bomb = ["- &a0 [1, 2, 3]"] + [f"- &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    document = parse_yaml("\n".join(bomb), Path("x"))
    assert ["holds too many values" in each.message for each in document.problems] == [True]


def test_the_schema_is_json_and_names_every_key() -> None:
    schemas = schema()
    assert sorted(schemas) == sorted(FILES)
    assert json.loads(json.dumps(schemas)) == schemas
    assert {"name", "amount", "amounts", "group_by", "overrides", "thresholds"} <= words_of(schemas["budgets.yaml"])
    assert "every" in words_of(schemas["alerter.yaml"])
    assert "every_s" not in words_of(schemas["alerter.yaml"])


def test_the_schema_says_defaults_as_a_file_does() -> None:
    poll = schema()["alerter.yaml"]["$defs"]["PollConfig"]["properties"]
    assert {key: each["default"] for key, each in poll.items() if key in {"every", "page_size"}} == {
        "every": "60s",
        "page_size": 1000,
    }
