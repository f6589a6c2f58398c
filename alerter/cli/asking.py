"""What `alerter init` says and asks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from alerter.onboarding import Answers, Survey

_DEFAULT = "http://127.0.0.1:5000"
_SHOWN_TAGS = 8
_SHOWN_VALUES = 5
_SHOWN_TYPES = 6


def is_possible() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def address(given: str | None, *, ask: bool) -> str:
    """Return MLflow's address: as given, as MLflow's own variable says, or as somebody answers."""
    from alerter.config.urls import tracking_uri

    usual = os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT
    text = given or (typer.prompt("Where is MLflow", default=usual) if ask else usual)
    try:
        return tracking_uri(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def zone(given: str | None) -> str:
    """Return a time zone: as given, or this machine's, or UTC."""
    from zoneinfo import ZoneInfo

    for name in (given, _machine_zone()):
        if name:
            try:
                ZoneInfo(name)
            except (ValueError, OSError, LookupError):
                if name == given:
                    raise typer.BadParameter(f"{name!r} is no time zone; write it like Europe/Berlin") from None
                continue
            return "UTC" if name == "Etc/UTC" else name
    return "UTC"


def day(given: str | None) -> date | None:
    """Return a day."""
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is not a day; write it like 2026-01-01") from None


def channel(given: str | None) -> str | None:
    """Return a Slack channel as it is written in the configuration."""
    if not given:
        return None
    return given if given.startswith(("#", "C", "G")) else f"#{given}"


def show(found: Survey, likely: Sequence[str]) -> None:
    """Print what is in use, the tags that are likely to tell teams apart first."""
    from alerter.core.text import one_line
    from alerter.core.wording import share_words

    if not found.runs:
        typer.echo("\nNo run is there yet: the configuration begins with round amounts.")
        return
    typer.echo(f"\n{found.runs:,} runs, the first of {_day(found.first_ms)}, the last of {_day(found.last_ms)}.")
    typer.echo("\nTags in use:")
    own = found.own_tags
    for key in sorted(own, key=lambda key: key not in likely)[:_SHOWN_TAGS]:
        values = own[key]
        most = ", ".join(f"{one_line(value, 24)} {runs:,}" for value, runs in values.most_common(_SHOWN_VALUES))
        more = f", {len(values) - _SHOWN_VALUES:,} more" if len(values) > _SHOWN_VALUES else ""
        lacking = f"; {share_words(found.untagged(key), found.runs)} of runs lack it" if found.untagged(key) else ""
        typer.echo(f"  {one_line(key, 30)}: {most}{more}{lacking}")
    if len(own) > _SHOWN_TAGS:
        typer.echo(f"  and {len(own) - _SHOWN_TAGS:,} more: see `alerter tags` later")
    if not own:
        typer.echo("  none: no run says whose it is")
    _show_machines(found)


def _show_machines(found: Survey) -> None:
    from alerter.core.text import one_line
    from alerter.core.wording import share_words

    machines = found.machines
    typer.echo("\nMachines:")
    for words, types in (("with a price", machines.priced), ("without a price", machines.unpriced)):
        if types:
            most = ", ".join(f"{one_line(name, 30)} {runs:,}" for name, runs in types.most_common(_SHOWN_TYPES))
            more = f", {len(types) - _SHOWN_TYPES:,} more types" if len(types) > _SHOWN_TYPES else ""
            typer.echo(f"  {words}: {most}{more}")
    others = (
        (machines.parts, "log GPUs, CPUs or memory, and are priced by these"),
        (
            machines.silent,
            "log no machine that has a price: docs/prices.md says what to log; `metering.keys` takes other names",
        ),
        (machines.logged, "log their own cost, which counts instead"),
    )
    for runs, words in others:
        if runs:
            typer.echo(f"  {share_words(runs, found.runs)} of runs {words}")


def ask(answers: Answers, found: Survey, likely: Sequence[str]) -> Answers:
    """Return the answers of whoever is asked."""
    typer.echo("")
    if found.own_tags or answers.tag:
        names = ", ".join(likely[:_SHOWN_VALUES]) or "none is likely"
        usual = answers.tag or "none"
        while True:
            text = typer.prompt(f"Which tag tells your teams apart ({names}; or none)", default=usual).strip()
            if text == answers.tag:
                break
            if text == "none" or text in found.own_tags:
                answers = replace(answers, tag=None if text == "none" else text, derive=None)
                break
            typer.echo(f"No run has a tag {text!r}.")
    answers = replace(answers, timezone=_ask_zone(answers.timezone))
    if answers.channel is None:
        text = typer.prompt("Slack channel for alerts (empty: they are printed)", default="", show_default=False)
        answers = replace(answers, channel=channel(text.strip()))
    if not answers.observe:
        quietly = typer.confirm("Begin quietly: record alerts, tell nobody", default=False)
        answers = replace(answers, observe=quietly)
    return answers


def _ask_zone(usual: str) -> str:
    while True:
        try:
            return zone(typer.prompt("In which time zone do days and months begin", default=usual).strip())
        except typer.BadParameter as error:
            typer.echo(error.message)


def next_steps(folder: Path, answers: Answers, found: Survey, *, is_default: bool) -> None:
    """Print what was written, and what to do with it."""
    where = "" if is_default else f" --config {folder}"
    steps = [f"look at {folder / 'budgets.yaml'}: are these the amounts that are agreed?"]
    if found.machines.unpriced:
        steps.append(f"write the prices that are missing into {folder / 'prices.yaml'}; the lines stand there")
    if answers.channel:
        steps.append("set SLACK_BOT_TOKEN and SLACK_APP_TOKEN: docs/slack.md makes the app in one paste")
    if not answers.tag and found.runs:
        steps.append("tag your runs, so that each team can have a budget: docs/recipes.md")
    steps.append(f"alerter check{where}")
    steps.append(f"alerter run{where}    (its first message is one list of what is over a threshold already)")
    typer.echo(f"\nWritten: {folder}/alerter.yaml, budgets.yaml, prices.yaml, and schema/ for editors. Next:")
    for number, step in enumerate(steps, start=1):
        typer.echo(f"  {number}. {step}")


def _day(at_ms: int) -> str:
    from alerter.core.periods import utc

    return utc(at_ms).date().isoformat()


def _machine_zone() -> str | None:
    """Return the zone that the machine's clock is set to, where it says so."""
    try:
        return Path("/etc/timezone").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        target = os.path.realpath("/etc/localtime")
        return target.partition("zoneinfo/")[2] or None
