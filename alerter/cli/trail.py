"""The command that shows who did what: audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.auditing import edge_ms
from alerter.cli.common import AsJson, ConfigDir, load_config, opened_store, print_json

if TYPE_CHECKING:
    from alerter.store.holds import Audited


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(audit)


def audit(
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="A day (UTC) or an ISO time with its offset.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="The last so many.")] = 100,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show who acknowledged, snoozed and took back what.

    What was refused and which holds ended stands there too; the oldest first.
    """
    from alerter.cli.table import print_table, to_the_second
    from alerter.core.periods import iso
    from alerter.core.text import actor_name
    from alerter.store.holds import audit_trail

    since_ms = edge_ms(since, 0)
    with opened_store(load_config(config)) as store, store.read() as connection:
        rows = audit_trail(connection, since_ms=since_ms, limit=limit)
    if as_json:
        print_json({"audit": [_as_json(row) for row in rows]})
        return
    if not rows:
        typer.echo("nothing was done yet" if since is None else "nothing was done since")
        return
    heads = ("at", "who", "from", "what", "asked for", "outcome")
    lines = [
        (to_the_second(iso(row.at_ms)), actor_name(row.actor), row.via, row.action, row.target, row.detail)
        for row in rows
    ]
    print_table(heads, lines)


def _as_json(row: Audited) -> dict[str, str]:
    from alerter.core.periods import iso

    return {
        "at": iso(row.at_ms),
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "target": row.target,
        "detail": row.detail,
    }
