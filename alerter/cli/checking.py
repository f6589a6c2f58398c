"""The command that looks before anything is started: check."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import EXIT_FAILED, EXIT_SOURCE, AsJson, ConfigDir, clock_ms, load_config, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from alerter.config import Config
    from alerter.core.ports import Finding

_SIGNS = {"ok": "ok", "warning": "WARNING", "error": "ERROR"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    offline: Annotated[bool, typer.Option("--offline", help="Only files, secrets and database.")] = False,
    files: Annotated[bool, typer.Option("--files", help="Only files: where there are no secrets.")] = False,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything that could keep an alert from arriving.

    Files, secrets, MLflow, Slack, SMTP, database. Sends nothing. A remedy stands below what is wrong.
    """
    found = list(_of_files(config) if files else _findings(config, offline=offline))
    if as_json:
        print_json({"findings": [_as_json(each) for each in found]})
    else:
        _print(found, config)
    errors = [each for each in found if each.level == "error"]
    if errors:
        raise typer.Exit(EXIT_SOURCE if all(each.subject.startswith("source ") for each in errors) else EXIT_FAILED)


def _of_files(directory: Path | None) -> Iterator[Finding]:
    from alerter.check import check_files
    from alerter.price_checks import check_catalogs

    config = load_config(directory)
    yield from check_files(config)
    yield from check_catalogs(config, _today())


def _today() -> date:
    return datetime.fromtimestamp(clock_ms() / 1000, UTC).date()


def _findings(directory: Path | None, *, offline: bool) -> Iterator[Finding]:
    from alerter.check import check_database, check_offline
    from alerter.price_checks import check_catalogs, check_used_prices
    from alerter.store.engine import Store
    from alerter.store.migrate import schema_state

    config = load_config(directory)
    yield from check_offline(config)
    today = _today()
    prices = list(check_catalogs(config, today))
    store = Store(config.database)
    try:
        state = check_database(store)
        if state.level != "error" and schema_state(store) == "current":
            prices += check_used_prices(store, today)
    finally:
        store.close()
    yield state
    yield from prices
    # What can't be priced or stored can't be wired either: the rest waits until that is mended.
    if not offline and "error" not in {each.level for each in (state, *prices)}:
        yield from _online(config)


def _online(config: Config) -> Iterator[Finding]:
    from alerter.bootstrap import wire
    from alerter.check import check_matches, check_network
    from alerter.config import export_mlflow_secrets
    from alerter.store.engine import Store
    from alerter.store.migrate import migrate, schema_state
    from alerter.use_checks import check_use

    export_mlflow_secrets()
    there = Store(config.database)
    # Looking changes nothing: without a database of the current schema, one in memory stands in.
    store = there if schema_state(there) == "current" else Store("sqlite://")
    try:
        migrate(store)
        services = wire(config, store, now_ms=clock_ms(), reading=True)
        yield from check_network(services)
        yield from check_matches(services)
        yield from check_use(services, clock_ms())
    finally:
        there.close()
        store.close()


def _as_json(found: Finding) -> dict[str, str]:
    return {"level": found.level, "subject": found.subject, "text": found.text, "remedy": found.remedy}


def _print(found: Sequence[Finding], directory: Path | None) -> None:
    from alerter.core.text import one_line

    width = max((len(each.subject) for each in found), default=0)
    for each in found:
        typer.echo(f"{_SIGNS[each.level]:7}  {one_line(each.subject, 80).ljust(min(width, 40))}  {each.text}")
        if each.remedy:
            typer.echo(f"{'':7}  {'':{min(width, 40)}}  -> {each.remedy}")
    counts = {level: sum(each.level == level for each in found) for level in _SIGNS}
    counted = f"{_counted(counts['error'], 'error')}, {_counted(counts['warning'], 'warning')}"
    typer.echo(f"{counted}. {_advice(found, directory)}")


def _advice(found: Sequence[Finding], directory: Path | None) -> str:
    """Return what to do first, in one sentence; ``directory`` is the configuration's where that was asked for."""
    from shlex import quote

    from alerter.core.text import one_line

    first = next((each for each in found if each.level == "error"), None)
    if first is not None:
        return f"Begin with {one_line(first.subject, 80)}: as it is, alerts can't be relied on."
    if any(each.level == "warning" for each in found):
        return "It can run as it is; each warning says what that costs."
    return "It is ready: alerter run" + (f" --config {quote(one_line(str(directory)))}" if directory else "")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
