"""A start on a day when a team's file has a mistake."""

from collections.abc import Mapping

import pytest

from alerter.config import Config, ConfigError, load_resuming, team_files
from tests.config.conftest import Folder
from tests.config.test_reload import budgets, names


@pytest.fixture
def good(folder: Folder) -> Config:
    (folder.path / "budgets.yaml").unlink()
    folder.write("alerter.yaml", "receivers: [{name: ops, console: {}}]\n")
    for name in ("a", "b"):
        folder.write(f"budgets/{name}.yaml", budgets(name))
    return folder.load()


def resumed(folder: Folder, texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    config, problems = load_resuming(folder.path, lambda _config: texts, {})
    return names(config), [str(each).split(":")[0] for each in problems]


def test_its_last_good_version_stands_in(folder: Folder, good: Config) -> None:
    assert resumed(folder, {}) == (["a:1", "b:1"], [])
    folder.write("budgets/a.yaml", "budgets: [\n")
    folder.write("budgets/b.yaml", budgets("b", amount=2))
    assert resumed(folder, team_files(good)) == (["a:1", "b:2"], ["config/budgets/a.yaml"])


def test_what_was_never_in_force_is_left_out(folder: Folder, good: Config) -> None:
    folder.write("budgets/c.yaml", budgets("c", receiver="nobody"))
    assert resumed(folder, team_files(good)) == (["a:1", "b:1"], ["config/budgets/c.yaml"])


@pytest.mark.parametrize(
    ("file", "text", "remembers"),
    [
        ("budgets/a.yaml", "budgets: [\n", False),  # a first start
        ("alerter.yaml", "receivers: [\n", True),  # not a team's
        ("prices.yaml", "currency: dollars\n", True),
    ],
)
def test_what_nothing_stands_in_for_is_told(
    folder: Folder, good: Config, file: str, text: str, *, remembers: bool
) -> None:
    folder.write(file, text)
    with pytest.raises(ConfigError, match=file.rpartition("/")[2]):
        resumed(folder, team_files(good) if remembers else {})


def test_nothing_good_is_left(folder: Folder, good: Config) -> None:
    (folder.path / "budgets" / "a.yaml").write_text("budgets: [\n")
    (folder.path / "budgets" / "b.yaml").write_text("budgets: [\n")
    assert good.budgets
    with pytest.raises(ConfigError):  # of nothing that is good, nothing names the database
        resumed(folder, team_files(good))
