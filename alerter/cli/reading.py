"""Commands that read: status, alerts, top, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import (
    EXIT_FAILED,
    AsJson,
    ConfigDir,
    Now,
    instant_ms,
    print_json,
    reading_services,
    say_error,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerter.core.views import AlertView, BudgetStatus, RunCost
    from alerter.coverage import Coverage
    from alerter.status import Freshness

_NAMED = 12
"""Names that an error lists, where none is close to what was typed."""

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A budget, or a tag value such as a team.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(alerts)
    app.command()(top)
    app.command("explain")(explain_number)


def status(name: Name = None, config: ConfigDir = None, now: Now = None, as_json: AsJson = False) -> None:
    """Show what each budget has spent, and is on course to spend."""
    from alerter.coverage import measure
    from alerter.status import budget_status, freshness, named, status_json

    now_ms = instant_ms(now)
    with reading_services(config, now_ms) as services, services.windows.read() as view:
        if as_json:
            print_json(status_json(view, now_ms, name=name))
            return
        rows = budget_status(view, now_ms)
        chosen = rows if name is None else named(rows, name)
        if name is not None and not chosen:
            _unknown(name, rows)
        _print_status(chosen, freshness(view), measure(view, now_ms))


def alerts(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    config: ConfigDir = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """List the alerts that fire or are acknowledged."""
    from alerter.alerts_shown import alert_views, alerts_json

    with reading_services(config, instant_ms(now)) as services, services.windows.read() as view:
        if as_json:
            print_json(alerts_json(view))
            return
        _print_alerts(alert_views(view, everything=everything))


def top(
    name: Name = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many runs.")] = 10,
    unpriced: Annotated[
        bool, typer.Option("--unpriced", help="Experiments with run time without a price, and what gives it one.")
    ] = False,
    config: ConfigDir = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Show the most expensive runs of the current periods."""
    from alerter.cli.auditing import show_unpriced
    from alerter.status import budget_status, named, run_json, top_runs

    now_ms = instant_ms(now)
    if unpriced and name is not None:
        raise typer.BadParameter("--unpriced looks at every experiment: leave NAME out")
    with reading_services(config, now_ms) as services, services.windows.read() as view:
        if unpriced:
            show_unpriced(services, view, now_ms, limit=limit, as_json=as_json)
            return
        if name is not None:
            rows = budget_status(view, now_ms)
            if not named(rows, name):
                _unknown(name, rows, f"for {name} runs: alerter top -n {name}" if name.isdecimal() else "")
        runs = top_runs(view, services.describer, now_ms, limit=limit, name=name)
        if as_json:
            print_json({"runs": [run_json(run) for run in runs]})
            return
        _print_runs(runs)


def explain_number(
    reference: Annotated[str, typer.Argument(metavar="RUN|ALERT", help="An alert's id, a run's id or its name.")],
    config: ConfigDir = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Show the charges behind a number, line by line."""
    from alerter.cli.evidence import print_evidence
    from alerter.explain import UnknownReferenceError, explain

    now_ms = instant_ms(now)
    with reading_services(config, now_ms) as services, services.windows.read() as view:
        try:
            found = explain(view, reference, now_ms)
        except UnknownReferenceError as error:
            say_error(str(error))
            raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        print_json(found)
    else:
        print_evidence(found)


def _unknown(name: str, rows: Sequence[BudgetStatus], instead: str = "") -> None:
    """End with an error that says what there is, or ``instead`` of that what may have been meant."""
    from difflib import get_close_matches

    from alerter.core.text import one_line

    known = sorted({row.budget for row in rows} | {row.title for row in rows})
    close = get_close_matches(name, known, n=1)
    names = [one_line(each) for each in known[:_NAMED]] + ["..."] * (len(known) > _NAMED)
    hint = f"did you mean {one_line(close[0])!r}?" if close else f"there are: {', '.join(names) or 'none'}"
    say_error(f"no budget or tag value is called {one_line(name)!r}; {instead or hint}")
    raise typer.Exit(EXIT_FAILED)


def _print_status(rows: Sequence[BudgetStatus], fresh: Freshness, coverage: Coverage) -> None:
    from alerter.cli.table import to_the_second
    from alerter.core.money import human
    from alerter.core.periods import iso
    from alerter.core.text import one_line
    from alerter.core.wording import percent
    from alerter.coverage import coverage_lines

    gaps = any(row.unpriced_ms or row.unpriced_tokens for row in rows)
    lines = [
        (
            row.budget if not row.scope else f"{row.budget} / {row.title}",
            row.period,
            percent(row.spent_nanos, row.amount_nanos),
            human(row.spent_nanos, row.currency),
            *([row.priced_cell()] if gaps else []),
            human(row.amount_nanos, row.currency),
            human(row.forecast_nanos, row.currency) if row.forecast_nanos is not None else "-",
            str(row.runs),
        )
        for row in rows
    ]
    priced = [">priced"] if gaps else []
    _table(("budget", "period", ">used", ">spent (estimate)", *priced, ">of", ">forecast", ">runs"), lines)
    for row in rows:
        if words := row.component_words():
            typer.echo(f"{one_line(row.title, 120)}: {words}")
        for each in row.restated:
            typer.echo(f"{one_line(row.title, 120)}: {each.words(row.currency)}")
    for line in coverage_lines(coverage):
        typer.echo(one_line(line, 400))
    if fresh.as_of_ms is None:
        typer.echo("nothing has been read yet: what is spent is unknown, not zero")
    else:
        since = " (stale: a source could not be read since)" if fresh.stale else ""
        typer.echo(f"data of {to_the_second(iso(fresh.as_of_ms))}{since}")
    for error in fresh.errors:
        typer.echo(f"  {error}")


def _print_alerts(rows: Sequence[AlertView]) -> None:
    from alerter.cli.table import to_the_second
    from alerter.core.money import human
    from alerter.core.periods import iso

    if not rows:
        typer.echo("no alerts")
        return
    lines = [
        (
            row.id,
            _stands(row),
            row.budget if not row.scope else f"{row.budget} / {row.title}",
            row.crossed,
            f"{human(row.spent_nanos, row.currency)} of {human(row.amount_nanos, row.currency)}",
            to_the_second(iso(row.fired_at_ms)),
            _told(row),
        )
        for row in rows
    ]
    _table(("id", "status", "budget", "threshold", "when fired", "fired at", "told"), lines)


def _told(row: AlertView) -> str:
    nobody = f"nobody: {row.silence}" if row.silence else "told to nobody"
    return ", ".join(f"{way.receiver}/{way.kind} {way.state}" for way in row.deliveries) or nobody


def _stands(row: AlertView) -> str:
    from alerter.core.text import actor_name, one_line

    if not row.acknowledged_by:
        return row.status.value
    until = f" until {row.until}" if row.until else ""
    note = f", “{one_line(row.note, 60)}”" if row.note else ""
    return f"{row.status.value} by {actor_name(row.acknowledged_by)}{until}{note}"


def _now(run: RunCost) -> str:
    from alerter.core.money import human

    if run.stale_nanos:
        return f"suspected stale: {human(run.stale_nanos, run.currency)} not counted"
    return f"{human(run.per_hour_nanos, run.currency)}/h" if run.running else "ended"


def _print_runs(rows: Sequence[RunCost]) -> None:
    from alerter.core.money import human

    if not rows:
        typer.echo("no runs in the current periods")
        return
    lines = [
        (
            row.name,
            row.machine,
            human(row.cost_nanos, row.currency),
            _now(row),
            row.budget if not row.scope else f"{row.budget} / {' / '.join(value for _, value in row.scope)}",
        )
        for row in rows
    ]
    _table(("run", "machine", ">cost (estimate)", ">now", "budget"), lines)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from alerter.cli.table import print_table

    print_table(heads, rows)
