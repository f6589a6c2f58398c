"""What a person is asked, or what is taken without asking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Answers:
    """What a first configuration is made from, beside what was found.

    Attributes:
        address: of the MLflow server.
        backend_store: the server's own database, or None.
        tag: by which runs are told apart; None for one budget of everything.
        derive: a pattern of experiments' names that the tag is read out of, or None.
        timezone: IANA name.
        observe: alerts are recorded and nobody is told.
        history_from: runs that ended before this UTC day are left out; None for none.
        channel: of Slack, or None to print.
    """

    address: str
    backend_store: str | None = None
    tag: str | None = None
    derive: str | None = None
    timezone: str = "UTC"
    observe: bool = False
    history_from: date | None = None
    channel: str | None = None
