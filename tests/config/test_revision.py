"""The commit that a configuration is at."""

import subprocess
from pathlib import Path

from alerter.config import load, load_keeping
from alerter.config.revision import revision_of

ONE = "budgets: [{{name: all, amount: {amount}, period: monthly, receivers: [console]}}]\n"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder: Path, amount: int) -> str:
    """Write and commit a configuration; return the commit's short hash."""
    config = folder / "config"
    config.mkdir(exist_ok=True)
    (config / "budgets.yaml").write_text(ONE.format(amount=amount))
    git(folder, "add", "config")
    git(folder, "commit", "-qm", f"amount {amount}")
    return git(folder, "log", "-1", "--format=%h")


def test_it_is_that_of_the_folders_last_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    first = committed(tmp_path, 10)
    config = load(tmp_path / "config", {})
    assert config.revision == first
    (tmp_path / "elsewhere").write_text("x")
    git(tmp_path, "add", "elsewhere")
    git(tmp_path, "commit", "-qm", "not a budget")
    assert load(tmp_path / "config", {}).revision == first
    second = committed(tmp_path, 20)
    changed, problems = load_keeping(tmp_path / "config", config, {})
    assert (changed.revision, problems) == (second, [])
    assert second != first


def test_what_is_not_committed_has_none(tmp_path: Path) -> None:
    assert revision_of(tmp_path) == ""
    git(tmp_path, "init", "-q")
    assert revision_of(tmp_path) == ""  # no commit yet
    committed(tmp_path, 10)
    (tmp_path / "config" / "budgets.yaml").write_text(ONE.format(amount=11))
    assert load(tmp_path / "config", {}).revision == ""


def test_a_copy_says_it_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "REVISION").write_text("3fa9c21\nof main\n")
    assert revision_of(tmp_path) == "3fa9c21"
    (tmp_path / "REVISION").write_text("<!channel>\n")
    assert revision_of(tmp_path) == ""
