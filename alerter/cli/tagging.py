"""The command about tags: which are in use, which look alike, what no budget counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import EXIT_FAILED, AsJson, ConfigDir, instant_ms, print_json, reading_services, say_error

if TYPE_CHECKING:
    from alerter.tag_report import TagReport, TagUse

_SHOWN = 5
_SHOWN_ALIKE = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tags)


def tags(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Every value of this tag.")] = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the tags in use, and which look alike."""
    from alerter.tag_report import tag_report

    with reading_services(config, instant_ms(None)) as services, services.windows.read() as view:
        found = tag_report(view, services.config)
    if key is not None:
        use = next((each for each in found.tags if each.key == key), None)
        if use is None:
            _no_such_tag(key, found)
        elif as_json:
            print_json(next(each for each in found.as_json()["tags"] if each["key"] == key))
        else:
            _print_values(use)
    elif as_json:
        print_json(found.as_json())
    else:
        _print(found)


def _no_such_tag(key: str, found: TagReport) -> None:
    from alerter.config.problems import did_you_mean

    say_error(f"no run has a tag {key!r}{did_you_mean(key, [each.key for each in found.tags])}")
    raise typer.Exit(EXIT_FAILED)


def _print_values(use: TagUse) -> None:
    from alerter.cli.table import print_table

    rows = []
    for value, runs in use.values.most_common():
        written = use.spellings[value] if value in use.spellings else Counter[str]()
        others = ", ".join(repr(each) for each, _ in written.most_common(_SHOWN) if each != value)
        rows.append((value, f"{runs:,}", others))
    print_table((use.key, ">runs", "also written"), rows)


def _print(found: TagReport) -> None:
    from alerter.cli.table import print_table

    if not found.tags:
        typer.echo(f"{found.runs:,} runs, and none has a tag: docs/recipes.md shows how to set them")
    else:
        rows = [
            (each.key, f"{len(each.values):,}", f"{each.runs:,} of {found.runs:,}", _most(each.values))
            for each in found.tags
        ]
        print_table(("tag", ">values", ">runs that have it", "most used"), rows)
    _print_alike(found)
    for key, experiments in found.lacking.items():
        if experiments:
            lack, count = ("lacks", "counts") if experiments.total() == 1 else ("lack", "count")
            typer.echo(f"\n{_runs(experiments)} {lack} {key} and {count} as (untagged), in {_most(experiments)}")
    if found.uncounted:
        are = "is" if found.uncounted.total() == 1 else "are"
        typer.echo(f"\n{_runs(found.uncounted)} {are} in no budget, in {_most(found.uncounted)}")


def _runs(counted: Counter[str]) -> str:
    return f"{counted.total():,} run{'' if counted.total() == 1 else 's'}"


def _print_alike(found: TagReport) -> None:
    from alerter.core.text import one_line

    if found.alike:
        typer.echo("\nThese may be one; a line under `tags:` in alerter.yaml unites them:")
    for each in found.alike[:_SHOWN_ALIKE]:
        values = f"{one_line(each.value, 40)} ({each.runs:,}) and {one_line(each.like, 40)} ({each.like_runs:,})"
        typer.echo(f"  {one_line(each.key, 30)}: {values}\n    {one_line(each.line, 200)}")
    if (more := len(found.alike) - _SHOWN_ALIKE) > 0:
        typer.echo(f"  and {more:,} more")


def _most(counted: Counter[str]) -> str:
    from alerter.core.text import one_line

    shown = ", ".join(f"{one_line(value, 24)} {runs:,}" for value, runs in counted.most_common(_SHOWN))
    return f"{shown}, {len(counted) - _SHOWN:,} more" if len(counted) > _SHOWN else shown
