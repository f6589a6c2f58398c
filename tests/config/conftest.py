"""A folder of configuration in the working directory, so that places read like `config/budgets.yaml:3:5`."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from alerter.config import Config, ConfigError, load

BUDGETS = """\
budgets:
  - {name: all, amount: 100, period: monthly, receivers: [console]}
"""


class Folder:
    """Writes files of ``config/`` and loads them, with an environment of its own."""

    path = Path("config")

    def __init__(self) -> None:
        self.environ: dict[str, str] = {}
        self.path.mkdir()
        self.write("budgets.yaml", BUDGETS)

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")

    def load(self) -> Config:
        return load(self.path, self.environ)

    def problems(self) -> list[str]:
        """Return what is wrong, as it is printed."""
        with pytest.raises(ConfigError) as caught:
            self.load()
        return str(caught.value).splitlines()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder()


@pytest.fixture
def alone(folder: Folder) -> Callable[[str, str], list[str]]:
    """Return the problems of a folder in which one file has this text."""

    def problems(name: str, text: str) -> list[str]:
        folder.write(name, text)
        return folder.problems()

    return problems
