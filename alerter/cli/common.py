"""What commands share: options, the configuration, the ledger to read, and how text is printed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.core.text import visible_json

if TYPE_CHECKING:
    from alerter.config import Config
    from alerter.services import Services
    from alerter.store.engine import Store

EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_SOURCE = 3

ConfigDir = Annotated[
    Path | None,
    typer.Option("--config", metavar="DIR", help="Folder of the YAML files. [default: $ALERTER_CONFIG, else config]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Now = Annotated[
    str | None, typer.Option("--now", metavar="ISO", help="Evaluate at this time, such as 2026-11-23T14:00Z.")
]


def config_dir(given: Path | None) -> Path:
    """Return the configuration's folder."""
    return given or Path(os.environ.get("ALERTER_CONFIG") or "config")


def load_config(given: Path | None) -> Config:
    """Load the configuration.

    Raises:
        ConfigError: with every problem of every file.
    """
    from alerter.config import load

    return load(config_dir(given))


def clock_ms() -> int:
    """Return the real time in epoch ms."""
    return time.time_ns() // 1_000_000


def instant_ms(text: str | None) -> int:
    """Return ``--now`` as epoch ms, or the clock's time; a time without an offset is refused."""
    if text is None:
        return clock_ms()
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "T"))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an ISO time; write it like 2026-11-23T14:00Z") from None
    if at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone; add Z for UTC, or an offset such as +01:00")
    return round(at.timestamp() * 1000)


@contextmanager
def opened_store(config: Config, *, create: bool = False) -> Iterator[Store]:
    """Open the state database, brought to the program's schema; ``create`` allows a new one.

    Raises:
        StoreError: it can't be used, or there is none yet.
    """
    from alerter.store.engine import Store, StoreError
    from alerter.store.migrate import migrate, schema_state

    store = Store(config.database)
    try:
        if not create and schema_state(store) == "empty":
            raise StoreError(f"database {store.name} is empty: run `alerter once` or `alerter run` first")
        migrate(store)
        yield store
    finally:
        store.close()


@contextmanager
def held_store(config: Config) -> Iterator[Store]:
    """Open the state database for a process that writes it, made and migrated if need be, and hold it.

    The lock comes first: an older program that runs must not find a newer schema under it.

    Raises:
        StoreError: it can't be used, or another process holds it.
    """
    from alerter.store.engine import Store
    from alerter.store.lock import hold_lock
    from alerter.store.migrate import migrate

    store = Store(config.database)
    try:
        with hold_lock(store):
            migrate(store)
            yield store
    finally:
        store.close()


@contextmanager
def reading_services(given: Path | None, now_ms: int) -> Iterator[Services]:
    """Wire the configuration to a database that exists, for commands that read or act.

    They leave the totals to whoever polls: a budget that it has not taken as it is now is named and left out.
    """
    from alerter.bootstrap import wire

    config = load_config(given)
    with opened_store(config) as store:
        services = wire(config, store, now_ms=now_ms, reading=True)
        taken = {budget.id for budget in services.ledger.budgets.values()}
        left_out = [budget.name for budget in config.budgets if budget.id not in taken]
        if left_out:
            names = ", ".join(left_out)
            typer.echo(f"note: new or changed since the last cycle, left out until the next one: {names}", err=True)
        yield services


def print_json(value: object) -> None:
    """Print one JSON document."""
    import json

    typer.echo(visible_json(json.dumps(value, indent=2, ensure_ascii=False)))


def say_error(text: str) -> None:
    """Print an error to standard error."""
    typer.echo(text if text.startswith("error") else f"error: {text}", err=True)


def is_terminal() -> bool:
    """Whether a person is looking at standard output."""
    return sys.stdout.isatty()


def whoami() -> str:
    """Return who runs this command, for the audit."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
