"""Commands for whoever doubts a number: simulate, ledger export, and what has no price."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import (
    EXIT_FAILED,
    AsJson,
    ConfigDir,
    Now,
    config_dir,
    instant_ms,
    load_config,
    print_json,
    reading_services,
    say_error,
)
from alerter.cli.fresh import fresh_services

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from alerter.config import Config, SourceConfig
    from alerter.services import Services
    from alerter.simulate import Simulation
    from alerter.store.totals import View

_DAY_MS = 86_400_000
_LOOK_BACK_DAYS = 90
_TIME = "A day (UTC) or an ISO time with its offset"

From = Annotated[str | None, typer.Option("--from", metavar="DATE", help=f"{_TIME}.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help=f"{_TIME}; exclusive.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate_budgets)


def simulate_budgets(
    budgets: Annotated[
        Path | None,
        typer.Option("--budgets", metavar="FILE", help="Budgets (file or folder) instead of the configured."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help=f"{_TIME}. [default: {_LOOK_BACK_DAYS} days before --to]"),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DATE", help=f"{_TIME}. [default: now]")] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="URL", help="Read this MLflow server instead of the ledger.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a comment on a pull request.")
    ] = False,
    config: ConfigDir = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Tell which alerts budgets would have fired, and when. Changes nothing and tells nobody."""
    from alerter.config.trial import load_with_budgets
    from alerter.simulate import simulate

    if markdown and as_json:
        raise typer.BadParameter("--markdown and --json exclude each other")
    now_ms = instant_ms(now)
    end_ms = edge_ms(until, now_ms)
    window = (edge_ms(since, end_ms - _LOOK_BACK_DAYS * _DAY_MS), end_ms)
    _check_window(window)
    loaded = load_config(config) if budgets is None else load_with_budgets(config_dir(config), budgets)
    opened = _ledger(loaded) if source is None else _fresh_ledger(loaded, source, now_ms)
    with opened as connection:
        found = simulate(connection, loaded, window)
    _print_simulation(found, markdown=markdown, as_json=as_json)


def export_ledger(
    since: From = None,
    until: To = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here, not to standard output.")
    ] = None,
    config: ConfigDir = None,
    now: Now = None,
) -> None:
    """Write the charges as FOCUS 1.2 CSV, for finance. The amounts sum to the ledger to the nano."""
    from alerter.core.money import plain
    from alerter.export import export_csv

    now_ms = instant_ms(now)
    window = (edge_ms(since, -(2**62)), edge_ms(until, 2**62))
    _check_window(window)
    with reading_services(config, now_ms) as services, services.windows.read() as view:
        if out is None:
            # The CSV's own line ends, and UTF-8 wherever it is piped to.
            sys.stdout.reconfigure(encoding="utf-8", errors="replace", newline="")  # type: ignore[union-attr]
            export_csv(view, services.pricer, window, now_ms, sys.stdout)
            return
        part = out.with_name(f"{out.name}.part")
        try:
            with part.open("w", encoding="utf-8", errors="replace", newline="") as file:
                done = export_csv(view, services.pricer, window, now_ms, file)
            part.replace(out)
        except OSError as error:
            say_error(f"{out} can't be written ({error.strerror}): name another file by --out")
            raise typer.Exit(EXIT_FAILED) from None
    typer.echo(f"{out}: {done.rows:,} rows, {plain(done.nanos)} in all (estimate)", err=True)


def show_unpriced(services: Services, view: View, now_ms: int, *, limit: int, as_json: bool) -> None:
    """Print the experiments and models with most use without a price, each with what gives it one."""
    from alerter.core.text import one_line
    from alerter.coverage import hours
    from alerter.unpriced import CODE, models_json, top_unpriced, unpriced_json, unpriced_models

    found = top_unpriced(view, services.pricer, services.config.usage_keys, now_ms, limit=limit)
    models = unpriced_models(view, now_ms, limit=limit)
    if as_json:
        print_json({"unpriced": unpriced_json(found), "models": models_json(models)})
        return
    if not found:
        typer.echo("all run time of the current month and periods has a price")
    for model in models:
        typer.echo(f"LLM tokens  {model.tokens:,} without a price")
        typer.echo(f"  {one_line(model.missing, 200)}")
        if model.fix:
            typer.echo(f"    {model.fix.where}:  {one_line(model.fix.line, 300)}")
    for each in found:
        runs = f"{len(each.runs):,} run{'' if len(each.runs) == 1 else 's'}"
        name = one_line(each.experiment)
        typer.echo(f"{name}  {hours(each.time_ms):,} run-hours without a price, {runs}, such as {each.example}")
        for fix, (missing, _) in list(each.fixes.items())[:3]:
            typer.echo(f"  {one_line(missing, 200)}\n    {one_line(fix.where, 120)}:  {one_line(fix.line, 300)}")
    if any(fix.where == CODE for each in found for fix in each.fixes):
        typer.echo("runs that log it under another name: add that to `metering.keys` in alerter.yaml (docs/prices.md)")


def edge_ms(text: str | None, default_ms: int) -> int:
    """Return a day's first instant (UTC) or an ISO time as epoch ms; ``default_ms`` where nothing is given."""
    if text is None:
        return default_ms
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return instant_ms(text)
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _check_window(window: tuple[int, int]) -> None:
    if window[0] >= window[1]:
        raise typer.BadParameter("--from must be before --to")


@contextmanager
def _ledger(config: Config) -> Iterator[Connection]:
    """Open the state database to read, as it is: neither its schema nor its budgets are touched."""
    from alerter.store.engine import Store, StoreError
    from alerter.store.migrate import require_known

    store = Store(config.database)
    try:
        state = require_known(store)
        if state == "empty":
            raise StoreError(f"database {store.name} is empty: run `alerter once` first, or give --source URL")
        if state == "behind":
            raise StoreError(f"database {store.name} is of an earlier version: run `alerter migrate` first")
        with store.read() as connection:
            yield connection
    finally:
        store.close()


@contextmanager
def _fresh_ledger(config: Config, address: str, now_ms: int) -> Iterator[Connection]:
    """Read an MLflow server into a ledger of its own that is gone afterwards."""
    reading = replace(config, sources=(_source(config, address),))
    with fresh_services(reading, now_ms) as services, services.store.read() as connection:
        yield connection


def _source(config: Config, address: str) -> SourceConfig:
    """Return the configured source of a name or address, or one of this address with nothing else set."""
    from alerter.config import SourceConfig
    from alerter.config.urls import tracking_uri

    known = next((each for each in config.sources if address in {each.name, each.tracking_uri}), None)
    if known is not None:
        return known
    try:
        return SourceConfig(name="main", tracking_uri=tracking_uri(address))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _print_simulation(found: Simulation, *, markdown: bool, as_json: bool) -> None:
    from alerter.cli.table import print_table
    from alerter.core.text import one_line
    from alerter.simulate import simulation_json, simulation_markdown

    if as_json:
        print_json(simulation_json(found))
        return
    if markdown:
        for line in simulation_markdown(found):
            typer.echo(line)
        return
    if found.alerts:
        rows = [
            (
                each.when,
                each.title,
                each.crossing.period.label(),
                each.crossed,
                each.spent,
                ", ".join(each.receivers) or "nobody",
            )
            for each in found.alerts
        ]
        print_table(("when", "budget", "period", "threshold", ">spent (estimate)", "told"), rows)
    typer.echo(found.summary)
    for finding in found.unmatched:
        typer.echo(f"WARNING  {one_line(finding.subject, 120)} {finding.text}: {one_line(finding.remedy, 300)}")
