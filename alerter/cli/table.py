"""Plain aligned tables: readable in a terminal of any width, and by grep."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from alerter.core.text import one_line

_CELL_LIMIT = 60


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], limit: int = _CELL_LIMIT) -> None:
    """Print rows under heads; a head that begins with ``>`` is aligned to the right. No cell has more characters."""
    right = [head.startswith(">") for head in heads]
    cells = [[head.removeprefix(">").upper() for head in heads]]
    cells += [[one_line(cell, limit) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    for row in cells:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def to_the_second(instant: str) -> str:
    """Return an ISO instant (UTC) as people read it; ``--json`` has it exactly."""
    return f"{instant[:19]}Z"
