"""Commands for whoever operates it: ledger verify, migrate, notifications, schema."""

from __future__ import annotations

import typer

from alerter.cli.common import (
    EXIT_FAILED,
    AsJson,
    ConfigDir,
    instant_ms,
    load_config,
    print_json,
    reading_services,
    say_error,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    ledger = typer.Typer(help="The ledger of charges.", no_args_is_help=True)
    ledger.command()(verify)
    app.add_typer(ledger, name="ledger")
    app.command()(migrate)
    app.command()(schema)


def verify(config: ConfigDir = None, as_json: AsJson = False) -> None:
    """Recompute every total from the charges, and every charge from its rate; they must agree to the nano."""
    from alerter.verify import verify_ledger

    with reading_services(config, instant_ms(None)) as services, services.windows.read() as view:
        report = verify_ledger(view)
    if as_json:
        print_json(report.as_json())
    else:
        typer.echo(f"{report.charges} charges, {report.totals} daily totals checked")
        for line in report.lines():
            say_error(line)
        if report.ok:
            typer.echo("every total agrees with its charges")
    if not report.ok:
        raise typer.Exit(EXIT_FAILED)


def migrate(config: ConfigDir = None) -> None:
    """Bring the state database to this program's schema."""
    from alerter.store.engine import Store
    from alerter.store.migrate import migrate as bring_up

    store = Store(load_config(config).database)
    try:
        applied = bring_up(store)
    finally:
        store.close()
    typer.echo(f"applied {', '.join(applied)}" if applied else "nothing to do: the schema is current")


def schema() -> None:
    """Print the JSON Schema of the configuration files, for editors."""
    from alerter.config import schema as make

    print_json(make())
