"""Alerts printed where the daemon runs: for a first look, and for a machine without Slack or mail."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping
from typing import TextIO

from alerter.core import wording
from alerter.core.alerts import Alert, AlertState, AlertStatus, Message
from alerter.core.digest_wording import body_lines
from alerter.core.plain_text import lines_of
from alerter.core.ports import DeliveryDelayedError, DeliveryRejectedError, Finding, Receipt, Target
from alerter.core.text import one_line

_LINE = 400
_WIDTH = 100
_COLOURS = {"🔴": "red", "🟠": "dark_orange", "🟡": "yellow", "📈": "magenta"}


class ConsoleNotifier:
    """Prints a card an alert; ``stream`` is standard output unless given."""

    kind = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        """Print a message; the receipt is empty.

        Raises:
            DeliveryRejectedError: the stream is closed.
            DeliveryDelayedError: it can't be written to now.
        """
        del target, key, thread
        # Looked up late: whoever redirects standard output means the alerts too.
        stream = self._stream or sys.stdout
        try:
            with self._lock:
                _print(message, states, stream)
                stream.flush()
        except ValueError:
            raise DeliveryRejectedError("standard output is closed; give the receiver another way") from None
        except OSError as error:
            raise DeliveryDelayedError(f"standard output can't be written to ({type(error).__name__})") from None
        return Receipt({})

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """Return None: what was printed can't be looked up."""
        del target, key, since_ms, thread
        return None

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """Do nothing: what was printed stays."""

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """Return one line a target: there is nothing that could be wrong."""
        return [Finding("ok", f"receiver {each.receiver}", "alerts are printed on standard output") for each in targets]


def _print(message: Message, states: Mapping[str, AlertState], stream: TextIO) -> None:
    pretty = stream.isatty()
    title = wording.group_title(message) if message.alerts else one_line(message.title, _LINE)
    if message.digest is not None and pretty:
        _panel(title, body_lines(message), "cyan", stream)
    elif not wording.is_single(message):
        body = [_safe(line) for line in body_lines(message)]
        stream.write("\n".join(line for line in (title, *body) if line or message.digest) + "\n")
    for alert in message.alerts:
        state = states.get(alert.id, wording.FIRING)
        head, lines = wording.headline(alert, state), lines_of(alert, state)
        if pretty:
            _panel(head, lines, _colour(alert, state), stream)
        else:
            stream.write("\n".join(["", head, *(f"  {line}" for line in lines)]) + "\n")


def _safe(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + one_line(line, _LINE)


def _panel(head: str, lines: list[str], colour: str, stream: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - 0.1 s
    from rich.panel import Panel  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, highlight=False)
    # Text, not markup: a run named "[red]" is only a name.
    body = Text("\n").join([Text(head, style="bold"), *map(Text, lines)])
    console.print(Panel(body, border_style=colour, width=min(console.width, _WIDTH)))


def _colour(alert: Alert, state: AlertState) -> str:
    calm = state.status in (AlertStatus.RESOLVED, AlertStatus.ACKNOWLEDGED)
    return "green" if calm else _COLOURS.get(wording.icon(alert, state), "cyan")
