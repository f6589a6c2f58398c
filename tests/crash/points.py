"""Where the daemon is killed: every step between an evaluation and the record that it was told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EVALUATES, SLACK, MAIL = "job-poll", "deliver-slack", "deliver-email"
"""The daemon's threads."""


class When(StrEnum):
    """At which side of a step: of a statement, of a commit, or of a request, which the server knows."""

    BEFORE = "before a statement"
    AFTER = "after a statement"
    COMMIT = "before a commit"
    COMMITTED = "after a commit"
    ASKED = "before a request is acted on"
    DONE = "before the answer"


@dataclass(frozen=True)
class Point:
    """A step, as people read it.

    Attributes:
        reply: whether the daemon dies over the second message, which is a reply to the first, or over the first.
        what: what its transaction has done by then, as a regular expression over its SQL; or the API's method.
    """

    name: str
    thread: str
    when: When
    what: str
    reply: bool = False

    @property
    def on_the_wire(self) -> bool:
        """Whether a server kills; else the daemon kills itself."""
        return self.when in {When.ASKED, When.DONE}

    @property
    def label(self) -> str:
        """Its name and those of the message and the channel."""
        channel = {EVALUATES: "both", SLACK: "slack", MAIL: "smtp"}[self.thread]
        return f"{'second' if self.reply else 'first'} message, {channel}: {self.name}"


_ALERT = r"INSERT INTO alert "
_ENQUEUED = r"INSERT INTO notification "
_CLAIM = r"status = 'pending' AND not_before_ms.*SET lease_owner = \?, lease_until_ms"
_BEGUN = r"SET attempts = attempts \+ 1"
_SENT = r"SET status = 'sent'"
_CLAIM_UPDATE = r"update_wanted > update_shown.*SET lease_owner = \?, lease_until_ms"
_SHOWN = r"SET update_shown ="

_EVALUATION = (
    ("alert written, its message not", When.AFTER, _ALERT),
    ("message enqueued, not committed", When.COMMIT, _ENQUEUED),
    ("committed, not claimed", When.COMMITTED, _ENQUEUED),
)
_DELIVERY = (
    ("claimed, attempt not noted", When.AFTER, _CLAIM),
    ("attempt noted, not committed", When.COMMIT, _BEGUN),
    ("attempt noted, nothing sent", When.COMMITTED, _BEGUN),
    ("request sent, not acted on", When.ASKED, "chat.postMessage"),
    ("accepted, not answered", When.DONE, "chat.postMessage"),
    ("answer read, not recorded", When.BEFORE, _SENT),
    ("recorded, not committed", When.COMMIT, _SENT),
    ("recorded", When.COMMITTED, _SENT),
)
_UPDATE = (
    ("update claimed, not committed", When.COMMIT, _CLAIM_UPDATE),
    ("update claimed", When.COMMITTED, _CLAIM_UPDATE),
    ("update sent, not acted on", When.ASKED, "chat.update"),
    ("update accepted, not answered", When.DONE, "chat.update"),
    ("update answered, not recorded", When.BEFORE, _SHOWN),
    ("update recorded, not committed", When.COMMIT, _SHOWN),
)

POINTS = (
    *(Point(name, EVALUATES, when, what) for name, when, what in _EVALUATION),
    *(Point(name, SLACK, when, what) for name, when, what in _DELIVERY),
    *(Point(name, MAIL, when, what) for name, when, what in _DELIVERY),
    *(Point(name, EVALUATES, when, what, reply=True) for name, when, what in _EVALUATION),
    *(Point(name, SLACK, when, what, reply=True) for name, when, what in (*_DELIVERY, *_UPDATE)),
)
"""A second mail is sent as the first one is; in Slack it is a reply, and the first message changes."""
