"""A ledger of its own that a server is read into, and that is gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from alerter.cli.common import EXIT_SOURCE, say_error

if TYPE_CHECKING:
    from alerter.config import Config
    from alerter.cycle import Progress
    from alerter.services import Services


@contextmanager
def fresh_services(config: Config, now_ms: int, progress: Progress | None = None) -> Iterator[Services]:
    """Read a configuration's servers into a new ledger and give its services; without budgets nothing is told.

    Raises:
        typer.Exit: a server could not be read; its error was printed.
    """
    from tempfile import TemporaryDirectory

    from alerter.bootstrap import wire
    from alerter.config import export_mlflow_secrets
    from alerter.cycle import run_cycle
    from alerter.store.engine import Store
    from alerter.store.migrate import migrate

    export_mlflow_secrets()
    reading = replace(config, budgets=(), receivers=(), operators=None)
    with TemporaryDirectory(prefix="alerter-") as folder:
        store = Store(f"sqlite:///{folder}/fresh.db")
        try:
            migrate(store)
            services = wire(reading, store, now_ms=now_ms)
            report = run_cycle(services, now_ms, progress=progress)
            for each in report.failed:
                say_error(each.error)
            if report.failed:
                raise typer.Exit(EXIT_SOURCE)
            yield services
        finally:
            store.close()
