"""Commands that change something: ack, snooze, unack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import EXIT_FAILED, AsJson, ConfigDir, Now, instant_ms, print_json, reading_services, whoami

if TYPE_CHECKING:
    from alerter.holds import Outcome

Reference = Annotated[str, typer.Argument(metavar="ID|NAME", help="An alert such as A-7F3K, a budget, or a tag value.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ack)
    app.command()(snooze)
    app.command()(unack)


def ack(
    reference: Reference,
    note: Annotated[str, typer.Option("--note", "-m", help="Why, for the others.")] = "",
    until: Annotated[
        str | None,
        typer.Option("--until", help="100%, +$500, $900, 2026-12-01, 3d, period; default: the next threshold."),
    ] = None,
    config: ConfigDir = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alert. It stays quiet until the next threshold, or for as long as you say."""
    from alerter.holds import acknowledge

    now_ms = instant_ms(now)
    with reading_services(config, now_ms) as services:
        outcome = acknowledge(
            services.store, reference, actor=whoami(), via="cli", now_ms=now_ms, note=note, until=until
        )
    _print(outcome, as_json=as_json)


def snooze(
    reference: Reference,
    until: Annotated[
        str, typer.Argument(metavar="DUR|period", help="For how long: 2h, 3d, until 16:00 or 2026-12-01, or period.")
    ],
    note: Annotated[str, typer.Option("--note", "-m", help="Why, for the others.")] = "",
    config: ConfigDir = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Keep an alert quiet for a time. After it, it is told again if it still fires."""
    from alerter import holds

    now_ms = instant_ms(now)
    with reading_services(config, now_ms) as services:
        outcome = holds.snooze(
            services.store, reference, actor=whoami(), via="cli", now_ms=now_ms, until=until, note=note
        )
    _print(outcome, as_json=as_json)


def unack(reference: Reference, config: ConfigDir = None, now: Now = None, as_json: AsJson = False) -> None:
    """Take an acknowledgement or a snooze back."""
    from alerter.holds import unacknowledge

    now_ms = instant_ms(now)
    with reading_services(config, now_ms) as services:
        outcome = unacknowledge(services.store, reference, actor=whoami(), via="cli", now_ms=now_ms)
    _print(outcome, as_json=as_json)


def _print(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": outcome.ok, "code": outcome.code, "text": outcome.text, "alerts": list(outcome.alert_ids)})
    else:
        typer.echo(outcome.text, err=not outcome.ok)
    if not outcome.ok:
        raise typer.Exit(EXIT_FAILED)
