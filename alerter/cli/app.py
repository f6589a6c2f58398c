"""The command line's entry: every command, and how failures become exit codes."""

from __future__ import annotations

import sys

import typer

from alerter.cli import (
    acting,
    auditing,
    beginning,
    checking,
    demonstrating,
    operating,
    pricing,
    reading,
    running,
    tagging,
    trail,
)
from alerter.cli.common import EXIT_CONFIG, EXIT_FAILED, say_error

app = typer.Typer(
    name="alerter",
    help="Budget alerts for MLflow: prices runs, adds them up per budget, and warns before the money is gone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from alerter import __version__

        typer.echo(f"alerter {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


# In the order of --help.
_READING = (checking, reading, auditing, tagging, pricing)
for module in (beginning, running, demonstrating, *_READING, acting, trail, operating):
    module.register(app)


def main() -> None:
    """Run one command; exit codes: 0 done, 1 failed, 2 bad configuration or usage, 3 a source could not be read."""
    try:
        app()
    except Exception as error:
        code = _code(error)
        if code is None:
            raise
        say_error(str(error))
        sys.exit(code)


def _code(error: Exception) -> int | None:
    """Return the exit code of an error that a person can act on; None for a bug, which keeps its traceback."""
    from alerter.config.problems import ConfigError
    from alerter.core.money import MoneyError
    from alerter.core.ports import PriceBookError
    from alerter.store.engine import StoreError

    if isinstance(error, (ConfigError, PriceBookError, MoneyError)):
        return EXIT_CONFIG
    return EXIT_FAILED if isinstance(error, StoreError) else None
