"""Commands for whoever operates it: ledger verify, migrate, backup, schema, notifications, notify-test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.auditing import export_ledger
from alerter.cli.common import (
    EXIT_FAILED,
    AsJson,
    ConfigDir,
    clock_ms,
    instant_ms,
    load_config,
    opened_store,
    print_json,
    reading_services,
    say_error,
    whoami,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerter.config import Config
    from alerter.store.outbox_read import NotificationView

STATUSES = ("pending", "sent", "dead")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    ledger = typer.Typer(help="The ledger of charges.", no_args_is_help=True)
    ledger.command()(verify)
    ledger.command("export")(export_ledger)
    app.add_typer(ledger, name="ledger")
    app.command()(migrate)
    app.command()(backup)
    app.command()(schema)
    app.command()(notifications)
    app.command("notify-test")(notify_test)


def verify(config: ConfigDir = None, as_json: AsJson = False) -> None:
    """Recompute every total from the charges, to the nano.

    Every charge is computed again from its rate, too.
    """
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


def migrate(
    config: ConfigDir = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Move everything from SQLite into this empty PostgreSQL.")
    ] = None,
) -> None:
    """Bring the database to this program's schema.

    With ``--to`` it is moved to PostgreSQL.
    """
    from alerter.store.engine import Store
    from alerter.store.migrate import migrate as bring_up, require_whole

    loaded = load_config(config)
    if to is not None:
        _move(loaded, to)
        return
    store = Store(loaded.database)
    try:
        applied = bring_up(store)
        require_whole(store)
    finally:
        store.close()
    typer.echo(f"applied {', '.join(applied)}" if applied else "nothing to do: the schema is current")


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; one that exists is left as it is.")],
    config: ConfigDir = None,
) -> None:
    """Copy the SQLite database into a file while the daemon runs."""
    from alerter.store.backup import back_up
    from alerter.store.engine import Store

    store = Store(load_config(config).database)
    try:
        size = back_up(store, file)
    finally:
        store.close()
    typer.echo(f"{file}: {size / 1e6:.1f} MB")


def _move(config: Config, to: str) -> None:
    from contextlib import closing

    from sqlalchemy.exc import ArgumentError

    from alerter.moving import move
    from alerter.store.engine import Store
    from alerter.store.lock import hold_lock

    try:
        target = Store(to)
    except (ArgumentError, ImportError) as error:
        raise typer.BadParameter(f"--to: {error}; give an URL like postgresql+psycopg://USER@HOST/DATABASE") from None
    with closing(target), closing(Store(config.database)) as source, hold_lock(source):
        moved = move(config, source, target)
    for table, count in moved.rows.items():
        typer.echo(f"  {table:<20} {count:>10,}")
    checked = moved.verification
    typer.echo(f"{checked.charges} charges, {checked.totals} daily totals checked: every total agrees with its charges")
    typer.echo(f"moved to {target.name}: set `database:` in alerter.yaml to it")


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a file each into this folder.")
    ] = None,
) -> None:
    """Print the configuration files' JSON Schema, for editors."""
    if out is None:
        from alerter.config import schema as make

        print_json(make())
        return
    from alerter.config.schema_files import schema_texts

    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in schema_texts().items():
            (out / name).write_text(text, encoding="utf-8")
            typer.echo(out / name)
    except OSError as error:
        say_error(f"{out} can't be written ({error.strerror}): name another folder by --out")
        raise typer.Exit(EXIT_FAILED) from None


def notifications(
    status: Annotated[str | None, typer.Option("--status", help="Only pending, sent or dead ones.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 20,
    retry: Annotated[
        int | None, typer.Option("--retry", metavar="ID", min=1, help="Try this one, which was given up, anew.")
    ] = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """List the messages that were sent, wait, or were given up.

    The newest come first, with what a service said last.
    """
    if retry is not None:
        _retry(retry, config)
        return
    from dataclasses import asdict

    from alerter.store.outbox_read import list_notifications

    if status is not None and status not in STATUSES:
        raise typer.BadParameter(f"--status is one of {', '.join(STATUSES)}, not {status!r}")
    with opened_store(load_config(config)) as store, store.read() as connection:
        rows = list_notifications(connection, status=status, limit=limit)
    if as_json:
        print_json({"notifications": [asdict(row) for row in rows]})
        return
    if not rows:
        typer.echo("no notifications")
        return
    _print_notifications(rows)


def _print_notifications(rows: Sequence[NotificationView]) -> None:
    from alerter.cli.table import print_table, to_the_second
    from alerter.core.periods import iso

    print_table(
        ("id", "created", "receiver", "kind", "status", ">attempts", "alerts", "error"),
        [
            (
                str(row.id),
                to_the_second(iso(row.created_ms)),
                row.receiver,
                row.kind,
                row.status,
                str(row.attempts),
                ", ".join(row.alert_ids),
                row.error,
            )
            for row in rows
        ],
    )


def _retry(notification_id: int, config: ConfigDir) -> None:
    from alerter.delivery.retry import retry

    with opened_store(load_config(config)) as store:
        done = retry(store, notification_id, actor=whoami(), via="cli", now_ms=clock_ms())
    if not done.ok:
        say_error(done.text)
        raise typer.Exit(EXIT_FAILED)
    typer.echo(done.text)


def notify_test(
    receiver: Annotated[str, typer.Argument(metavar="RECEIVER", help="A name of alerter.yaml.")],
    config: ConfigDir = None,
) -> None:
    """Send a test message over each of a receiver's ways."""
    from threading import Event

    from alerter.bootstrap import make_notifiers
    from alerter.core.alerts import Message, MessageKind
    from alerter.core.ports import DeliveryError, Target

    loaded = load_config(config)
    chosen = loaded.receiver(receiver)
    if chosen is None:
        known = ", ".join(sorted(loaded.receiver_names))
        raise typer.BadParameter(f"there is no receiver {receiver!r}; there are: {known}")
    notifiers = make_notifiers(loaded, Event())
    message = Message(MessageKind.TEST, title="Test message", text="Budget alerts arrive here.", at_ms=clock_ms())
    failed = False
    for kind, settings in chosen.channels.items():
        try:
            notifiers[kind].send(Target(chosen.name, settings), message, {}, f"test:{kind}:{clock_ms()}")
            typer.echo(f"{kind}: sent")
        except DeliveryError as error:
            failed = True
            say_error(f"{kind}: {error}")
        except KeyError:
            failed = True
            say_error(f"{kind}: not configured; `alerter check` says what is missing")
    if failed:
        raise typer.Exit(EXIT_FAILED)
