"""How ``explain`` shows the ledger's lines to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import compress
from typing import Any

import typer

from alerter.cli.table import print_table, to_the_second
from alerter.core.text import one_line
from alerter.core.usage import TokenCount

_SHOWN = 200
_NOTE_LIMIT = 300
_CELL_LIMIT = 60
_RULE_LIMIT = 160
_GAP_HEADS = ("run", "meter", "missing", "from", "to", "tokens")


def print_evidence(found: dict[str, Any]) -> None:
    """Print what `alerter.explain.explain` returns."""
    if "alert" in found:
        _print_alert(found)
    else:
        _print_run(found)
    names = {each["run_id"]: each["name"] for each in found.get("runs", ())}
    window = found["alert"]["window"] if "alert" in found else None
    _print_charges(found["charges"], names, window)
    if found["gaps"]:
        typer.echo("\nnot priced")
        _print_filled(_GAP_HEADS, [_gap(each, names) for each in found["gaps"][:_SHOWN]], _CELL_LIMIT)
        _print_more(found["gaps"])


def _print_alert(found: dict[str, Any]) -> None:
    alert = found["alert"]
    typer.echo(f"{alert['id']}  {_titled(alert)}  {_days(*alert['period'])}")
    spent = f"spent {alert['spent']} of {alert['amount']} {alert['currency']} (estimate)"
    typer.echo(f"{spent}; {alert['spent_when_fired']} when it fired")
    if alert["restated"] is not None:
        typer.echo(f"restated by {alert['restated']} since the period closed at {alert['spent_when_closed']}")
    typer.echo("")
    rows = [(run["name"], run["run_id"], run["status"], run["cost"]) for run in found["runs"][:_SHOWN]]
    print_table(("run", "id", "status", ">cost"), rows)
    _print_more(found["runs"])
    typer.echo("")


def _print_run(found: dict[str, Any]) -> None:
    run = found["run"]
    name = f"{one_line(run['name'])}  {one_line(run['run_id'])}"
    typer.echo(f"{name}  {run['status']}  source {run['source']}  cost {_cost(found)} (estimate)")
    if found["clamped"] is not None:
        typer.echo(f"  its clock can't be believed ({found['clamped']}): the times were corrected")
    if found["suspected_stale"] is not None:
        since, cost = found["suspected_stale"]["since"], found["suspected_stale"]["cost"]
        typer.echo(f"  suspected stale: no sign of life after {to_the_second(since)}; {cost} since then is not counted")
    if found["folded"] is not None:
        until, cost = to_the_second(found["folded"]["until"]), found["folded"]["cost"]
        typer.echo(f"  {cost} of it up to {until} were folded into daily sums (ledger.keep)")
    for start, end in found["segments"]:
        typer.echo(f"  ran {to_the_second(start)} to {to_the_second(end) if end else 'now'}")
    for share in found["budgets"]:
        typer.echo(f"  counts {share['cost']} for {_titled(share)}{_of_it(share)}")
    typer.echo("")


def _of_it(share: dict[str, Any]) -> str:
    """Return how much of what counts for a budget is in the period that it is in, where that is not all."""
    now = share["current"]
    return f", {now['cost']} of it in {_days(*now['period'])}" if now and now["cost"] != share["cost"] else ""


def _print_charges(charges: list[dict[str, Any]], names: Mapping[str, str], window: Sequence[str] | None) -> None:
    """Print charges; ``window`` is the period whose part of each they are, where they are cut to one."""
    if not charges:
        typer.echo("no charges")
        return
    rows = [
        (
            names.get(each["run_id"], ""),
            each["meter"],
            _quantity(each),
            "" if each["tokens"] and each["unit_price"] == "1" else each["unit_price"],  # the rule has their prices
            each["cost"],
            to_the_second(each["period"][0]),
            _until(each, window),
            each["rule"],
            each["correction"] or "",
            each["share"] or "",
        )
        for each in charges[:_SHOWN]
    ]
    cost = f">cost {charges[0]['currency']}"
    heads = ("run", "meter", ">quantity", ">price", cost, "from", "to", "rule", "correction", "share")
    _print_filled(heads, rows, _RULE_LIMIT)
    notes = [note for each in charges[:_SHOWN] for note in (each["note"] or "").split("; ") if note]
    for note in dict.fromkeys(notes):  # once each: what was assumed, what could not be read
        typer.echo(f"  note: {one_line(note, _NOTE_LIMIT)}")
    if window and any(each["period"][0] == window[0] or each["period"][1] == window[1] for each in charges):
        first, last = map(to_the_second, window)
        typer.echo(f"  note: runs count here only from {first} to {last}; `alerter explain RUN` has all of one")
    _print_more(charges)


def _until(each: dict[str, Any], window: Sequence[str] | None) -> str:
    """Return when a charge ends; one of a run that goes on does so too, but where its period is over."""
    start_end = each["period"]
    goes_on = not each["settled"] and not each["suspected_stale"] and not (window and start_end[1] == window[1])
    return "running" if goes_on else to_the_second(start_end[1])


def _print_filled(heads: Sequence[str], rows: Sequence[Sequence[str]], limit: int) -> None:
    """Print a table without the columns that are empty in every row."""
    filled = [any(row[place] for row in rows) for place in range(len(heads))]
    print_table(list(compress(heads, filled)), [list(compress(row, filled)) for row in rows], limit)


def _cost(found: dict[str, Any]) -> str:
    """Return what a run cost; in which currency its charges tell."""
    return " ".join([found["run"]["cost"], *{each["currency"] for each in found["charges"]}])


def _days(start: str, end: str) -> str:
    """Return the first and the last day of a period, given as ISO dates ``[start, end)``."""
    last = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
    return start if start == last else f"{start} to {last}"


def _quantity(each: dict[str, Any]) -> str:
    return str(TokenCount(**each["tokens"])) if each["tokens"] else f"{each['quantity']} {each['unit']}"


def _titled(found: dict[str, Any]) -> str:
    """Return a budget and its scope; their names are whatever somebody typed."""
    return " / ".join(one_line(each) for each in (found["budget"], *found["scope"].values()))


def _print_more(lines: list[dict[str, Any]]) -> None:
    if len(lines) > _SHOWN:
        typer.echo(f"and {len(lines) - _SHOWN} more; --json has them all")


def _gap(each: dict[str, Any], names: Mapping[str, str]) -> tuple[str, ...]:
    tokens = str(TokenCount(**each["tokens"])) if each["tokens"] else ""
    start, end = map(to_the_second, each["period"])
    return names.get(each["run_id"], ""), each["meter"], each["missing"], start, end, tokens
