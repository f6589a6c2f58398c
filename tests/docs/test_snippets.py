"""Every snippet of YAML is loaded by the real loader, every command line is parsed by the real command line."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from alerter.cli.app import app
from alerter.config import load
from alerter.config.budget_models import BudgetsFile
from alerter.config.price_models import PricesModel
from alerter.config.sections import Section
from alerter.config.settings import AlerterFile
from tests.docs.pages import ROOT, Snippet, rows, section, snippets, text_of

FILES: dict[str, type[Section]] = {
    "budgets.yaml": BudgetsFile,
    "prices.yaml": PricesModel,
    "alerter.yaml": AlerterFile,
}
FOREIGN = "# Prometheus"
AROUND = {
    "receivers": """\
receivers:
  - {name: ml-costs, console: {}}
  - {name: oncall, console: {}}
  - {name: vision-oncall, console: {}}
  - {name: vision-costs, console: {}}
""",
    "email": "email: {host: smtp.example.com, from: budgets@example.com}",
}
CATALOG = "provider,region,instance_type,purchase_option,usd_per_hour,as_of\n"
ONE_BUDGET = "budgets: [{{name: all, amount: 1, period: monthly, receivers: [{receiver}]}}]\n"


def file_of(data: object) -> str | None:
    """Return the file that a snippet belongs into, by its keys; None where it is nobody's."""
    if not isinstance(data, dict):
        return None
    for name, model in FILES.items():
        needed = {"budgets"} if name == "budgets.yaml" else set()
        if needed <= data.keys() <= set(model.yaml_keys()):
            return name
    return None


def ids(snippet: Snippet) -> str:
    return snippet.place


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=ids)
def test_yaml_is_what_the_program_loads(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = yaml.safe_load(snippet.text)
    name = file_of(data)
    if name is None:
        assert snippet.text.startswith(FOREIGN) or isinstance(data, list), "no file of ours has these keys"
        return
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config"
    config.mkdir()
    (config / "our-contract.csv").write_text(CATALOG)
    texts = {"alerter.yaml": "", "budgets.yaml": ""} | {name: snippet.text}
    written = yaml.safe_load(texts["alerter.yaml"]) or {}
    texts["alerter.yaml"] += "".join(f"\n{text}\n" for key, text in AROUND.items() if key not in written)
    receivers = yaml.safe_load(texts["alerter.yaml"])["receivers"]
    texts["budgets.yaml"] = texts["budgets.yaml"] or ONE_BUDGET.format(receiver=receivers[0]["name"])
    for each, text in texts.items():
        (config / each).write_text(text, encoding="utf-8")
    loaded = load(config, {})
    assert loaded.budgets


def lines(snippet: Snippet) -> Iterator[str]:
    for line in snippet.text.replace("\\\n", " ").splitlines():
        yield line.split(" #")[0].strip()


@pytest.mark.parametrize("snippet", snippets("sh"), ids=ids)
def test_command_lines_are_understood(snippet: Snippet) -> None:
    for line in lines(snippet):
        words = shlex.split(line)
        if words[:1] == ["make"]:
            assert f"\n{words[1]}: " in (ROOT / "Makefile").read_text(encoding="utf-8"), line
        elif words[:1] == ["alerter"]:
            understand(words[1:])
        elif words[:3] == ["docker", "exec", "alerter"]:
            understand(words[4:])


def test_the_workflow_for_pull_requests_runs_commands_that_there_are() -> None:
    (workflow,) = [yaml.safe_load(each.text) for each in snippets("yml") if each.place.startswith("docs/audit.md")]
    runs = [step["run"].split(" > ")[0] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    ours = [shlex.split(each) for each in runs if each.startswith("alerter ")]
    assert [words[1] for words in ours] == ["check", "simulate"]
    for words in ours:
        understand(words[1:])


def understand(words: list[str]) -> None:
    """Parse a command line without running it; raises a usage error where it is wrong."""
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "commands"):
        name, words = words[0], words[1:]
        assert name in command.commands, f"there is no command {name}"
        parent, command = context, command.commands[name]
        context = command.context_class(command, parent=parent, info_name=name)
        if not hasattr(command, "commands"):
            command.parse_args(context, list(words))


def commands(group: Any = None, before: str = "alerter") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's own
    """Yield every command with its full name."""
    top: Any = group or typer.main.get_command(app)
    for name, command in top.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


THERE = dict(commands())


@pytest.mark.parametrize("name", THERE)
def test_every_command_and_option_is_explained(name: str) -> None:
    known = {option for each in THERE[name].params if each.param_type_name == "option" for option in each.opts}
    assert set(rows(section(text_of("docs/commands.md"), name))) == known
    assert f"`{name}" in text_of("README.md")


def test_no_command_is_explained_that_is_not_there() -> None:
    explained = re.findall(r"^### (alerter .*)$", text_of("docs/commands.md"), re.MULTILINE)
    assert set(explained) == set(THERE)


def test_commands_that_are_mentioned_exist() -> None:
    there = set(THERE)
    for page in ("README.md", *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))):
        for said in re.findall(r"`(alerter (?:(?:ledger|prices) )?[a-z][a-z-]*)", text_of(page)):
            assert said in there, f"{page} says {said}"
