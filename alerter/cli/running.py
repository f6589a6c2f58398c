"""Commands that work: once, run, demo."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import (
    EXIT_FAILED,
    EXIT_SOURCE,
    AsJson,
    ConfigDir,
    Now,
    clock_ms,
    config_dir,
    held_store,
    instant_ms,
    load_config,
    print_json,
    say_error,
)

if TYPE_CHECKING:
    from alerter.config import Config
    from alerter.cycle import CycleReport
    from alerter.daemon import Daemon


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(once)


def run(
    config: ConfigDir = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Watch: poll, alert, deliver, serve the page.

    SIGTERM ends it, SIGHUP reads the configuration again.
    """
    from alerter.cli.logs import set_up_logging
    from alerter.cli.signals import watched_signals

    _collect_seldom()
    with watched_signals() as signals:
        from alerter.config import export_mlflow_secrets
        from alerter.daemon import Daemon, told_where_it_fails
        from alerter.web.server import WebServerError

        export_mlflow_secrets()
        set_up_logging(verbose=verbose)
        loaded = _load(config)
        with told_where_it_fails(loaded), held_store(loaded) as store:
            daemon = Daemon(loaded, store)
            signals.hangup = daemon.reload
            try:
                daemon.run(signals.stop, started=lambda each: _announce(each, loaded, store.name))
            except WebServerError as error:
                say_error(str(error))
                raise typer.Exit(EXIT_FAILED) from None
    _leave()


def _load(given: Path | None) -> Config:
    """Load the configuration; a team's file with a mistake doesn't keep the others' budgets from being watched."""
    from alerter.config import load_resuming

    config, problems = load_resuming(config_dir(given), _remembered)
    for each in problems:
        say_error(f"{each} (its last good version stays in force)")
    return config


def _remembered(config: Config) -> dict[str, str]:
    from alerter.store.engine import Store
    from alerter.store.meta import remembered_files
    from alerter.store.migrate import schema_state

    store = Store(config.database)
    try:
        if schema_state(store) not in {"current", "behind"}:
            return {}
        with store.read() as connection:
            return remembered_files(connection)
    finally:
        store.close()


def _collect_seldom() -> None:
    """Look for cyclic garbage less often: recording makes very many objects, and hardly a cycle among them."""
    gc.set_threshold(100_000, 10, 10)


def _announce(daemon: Daemon, config: Config, database: str) -> None:
    """Print what is watched and where it can be seen."""
    from alerter import __version__
    from alerter.sources.mlflow_rest.errors import without_credentials

    lines = [("configuration", str(config.directory))]
    lines += [(f"source {each.name}", without_credentials(each.tracking_uri)) for each in config.sources]
    lines += [("budgets", str(len(config.budgets))), ("database", database), ("page", daemon.url)]
    typer.echo(f"alerter {__version__} watches")
    for name, value in lines:
        typer.echo(f"  {name:<16} {value}")


def _leave() -> None:
    """Exit at once where an attempt was left behind: the interpreter would wait for its thread without end."""
    left = [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
    if any(each.is_alive() for each in left):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def once(config: ConfigDir = None, now: Now = None, as_json: AsJson = False) -> None:
    """Do one cycle: poll, evaluate, deliver what is due."""
    from alerter.bootstrap import wire
    from alerter.config import export_mlflow_secrets
    from alerter.cycle import run_cycle
    from alerter.delivery import deliver_due
    from alerter.leadership import leading
    from alerter.operators import fallback_of
    from alerter.store.outbox_read import pending_count

    _collect_seldom()
    export_mlflow_secrets()
    now_ms = instant_ms(now)
    loaded = load_config(config)
    with held_store(loaded) as store, leading(store) as lead:
        services = wire(loaded, store, now_ms=now_ms, fence=lead.fence(lead.epoch))
        report = run_cycle(services, now_ms, clock=clock_ms if now is None else None)
        while deliver_due(
            store,
            services.notifiers,
            clock=clock_ms,
            owner=f"once-{os.getpid()}",
            stop=threading.Event(),
            fallback=fallback_of(services),
        ):
            pass
        with store.read() as connection:
            pending = pending_count(connection)
    _print_report(report, pending, as_json=as_json)
    if report.failed:
        raise typer.Exit(EXIT_SOURCE)


def _print_report(report: CycleReport, pending: int, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "polls": [
                    {
                        "source": each.source,
                        "runs": each.recorded.seen,
                        "changed": each.recorded.written,
                        "corrected": each.recorded.corrected,
                        "set_aside": each.recorded.set_aside,
                        "running": each.running,
                        "error": each.error or None,
                    }
                    for each in report.polls
                ],
                "evaluated": report.evaluated,
                "alerts": report.fired,
                "messages": report.enqueued,
                "pending": pending,
            }
        )
        return
    for each in report.polls:
        if each.error:
            say_error(each.error)
            continue
        counts = f"{each.recorded.seen} runs read, {each.recorded.written} new or changed, {each.running} running"
        typer.echo(f"{each.source}: {counts} ({each.seconds:.1f} s)")
        if each.recorded.set_aside:
            say_error(f"{each.source}: {each.recorded.set_aside} runs could not be recorded; the log names each")
    fired, enqueued = _number(report.fired, "alert"), _number(report.enqueued, "message")
    typer.echo(f"{fired} fired, {enqueued} made, {pending} still to be sent")


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
