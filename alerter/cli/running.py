"""Commands that work: once, run, demo."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import typer

from alerter.cli.common import (
    EXIT_SOURCE,
    AsJson,
    ConfigDir,
    Now,
    clock_ms,
    instant_ms,
    load_config,
    opened_store,
    print_json,
    say_error,
)

if TYPE_CHECKING:
    from alerter.cycle import CycleReport


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(once)


def once(config: ConfigDir = None, now: Now = None, as_json: AsJson = False) -> None:
    """Do one cycle: poll, evaluate, deliver what is due, and exit."""
    from alerter.bootstrap import wire
    from alerter.config import export_mlflow_secrets
    from alerter.cycle import run_cycle
    from alerter.delivery import deliver_due
    from alerter.operators import fallback_of
    from alerter.store.lock import hold_lock
    from alerter.store.outbox_read import pending_count

    export_mlflow_secrets()
    now_ms = instant_ms(now)
    loaded = load_config(config)
    with opened_store(loaded, create=True) as store, hold_lock(store):
        services = wire(loaded, store, now_ms=now_ms)
        report = run_cycle(services, now_ms)
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
    typer.echo(f"{report.fired} alerts fired, {report.enqueued} messages enqueued, {pending} still pending")
