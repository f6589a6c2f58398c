"""A reload: a bad file keeps its last good version, and the others take effect."""

from pathlib import Path

import pytest

from alerter.config import Config, load_keeping, snapshot
from tests.config.conftest import Folder


def budgets(*names: str, receiver: str = "ops", amount: int = 1) -> str:
    lines = [f"  - {{name: {name}, amount: {amount}, period: daily, receivers: {receiver}}}" for name in names]
    return "\n".join(["budgets:", *lines, ""])


@pytest.fixture
def good(folder: Folder) -> Config:
    (folder.path / "budgets.yaml").unlink()
    folder.write("alerter.yaml", "receivers: [{name: ops, console: {}}]\npoll: {every: 10s}\n")
    folder.write("budgets/a.yaml", budgets("a"))
    folder.write("budgets/b.yaml", budgets("b"))
    return folder.load()


def names(config: Config) -> list[str]:
    return [f"{each.name}:{each.amounts[0][1] // 10**9}" for each in config.budgets]


def test_good_files_take_effect(folder: Folder, good: Config) -> None:
    folder.write("budgets/a.yaml", budgets("a", amount=2))
    config, problems = load_keeping(folder.path, good, {})
    assert (names(config), problems) == (["a:2", "b:1"], [])


def test_a_bad_file_keeps_its_last_good_version(folder: Folder, good: Config) -> None:
    folder.write("budgets/a.yaml", budgets("a", amount=0))
    folder.write("budgets/b.yaml", budgets("b", "c", amount=3))
    folder.write("alerter.yaml", "receivers: [{name: ops, console: {}}]\npoll: {every: 20s}\n")
    config, problems = load_keeping(folder.path, good, {})
    assert names(config) == ["a:1", "b:3", "c:3"]
    assert config.poll.every_s == 20
    assert [str(each).split(": ")[0] for each in problems] == ["config/budgets/a.yaml:2:23"]
    again, problems = load_keeping(folder.path, config, {})
    assert (names(again), len(problems)) == (["a:1", "b:3", "c:3"], 1)


def test_a_new_file_that_is_bad_is_left_out(folder: Folder, good: Config) -> None:
    folder.write("budgets/c.yaml", "budgets: [\n")
    folder.write("prices.yaml", "currency: [\n")
    config, problems = load_keeping(folder.path, good, {})
    assert names(config) == ["a:1", "b:1"]
    assert config.prices == good.prices
    assert len(problems) == 2


def test_a_main_file_that_others_no_longer_fit_keeps_its_version(folder: Folder, good: Config) -> None:
    folder.write("alerter.yaml", "receivers: [{name: other, console: {}}]\npoll: {every: 20s}\n")
    folder.write("budgets/b.yaml", budgets("b", amount=4))
    config, problems = load_keeping(folder.path, good, {})
    assert config.receiver_names == {"ops"}
    assert names(config)[0] == "a:1"
    assert all("unknown receiver 'ops'" in each.message for each in problems)


def test_a_budget_moved_into_a_bad_file_is_not_counted_twice(folder: Folder, good: Config) -> None:
    folder.write("budgets/a.yaml", "budgets: [\n")
    folder.write("budgets/b.yaml", budgets("a", "b"))
    config, problems = load_keeping(folder.path, good, {})
    assert names(config) == ["a:1", "b:1"]
    assert len(problems) == 1


@pytest.mark.parametrize("what", ["budgets", "everything"])
def test_files_that_vanish_leave_what_there_was(folder: Folder, good: Config, what: str) -> None:
    for path in (folder.path / "budgets").iterdir():
        path.unlink()
    (folder.path / "budgets").rmdir()
    if what == "everything":
        (folder.path / "alerter.yaml").unlink()
        folder.path.rmdir()
    config, problems = load_keeping(folder.path, good, {})
    assert names(config) == ["a:1", "b:1"]
    assert len(problems) == 1


def test_a_removed_team_takes_its_budgets_along(folder: Folder, good: Config) -> None:
    (folder.path / "budgets" / "b.yaml").unlink()
    config, problems = load_keeping(folder.path, good, {})
    assert (names(config), problems) == (["a:1"], [])


def test_a_bad_environment_leaves_everything_as_it_was(folder: Folder, good: Config) -> None:
    folder.write("budgets/a.yaml", budgets("a", amount=2))
    config, problems = load_keeping(folder.path, good, {"MLFLOW_TRACKING_URI": "nonsense"})
    assert config is good
    assert problems[0].path == Path("$MLFLOW_TRACKING_URI")


def test_a_snapshot_changes_with_every_edit(folder: Folder, good: Config) -> None:
    first = snapshot(folder.path, good.files)
    assert snapshot(folder.path, good.files) == first
    folder.write("budgets/c.yaml", budgets("c"))
    second = snapshot(folder.path, good.files)
    assert second != first
    folder.write("budgets/c.yaml", budgets("c", amount=22))
    assert snapshot(folder.path, good.files) != second
