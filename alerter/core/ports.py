"""The edges of the domain: what a source, a price book and a notifier must do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from alerter.core.alerts import AlertState, Message
from alerter.core.usage import RunObservation


class SourceError(Exception):
    """A source could not be read; the message names it, the cause and the remedy, and holds no secret."""


@dataclass(frozen=True, slots=True)
class PollRequest:
    """What a source needs to know to read only what may have changed.

    Attributes:
        cursor: text of the last batch that was recorded, ``""`` for a first sync; only the source reads it.
        open_runs: run ids that the ledger holds open; each is reported, as seen or as gone.
        horizon_ms: start of the earliest open period; runs that touch it are seen again within ``resweep``.
        now_ms: the poll's time.
    """

    cursor: str
    open_runs: frozenset[str]
    horizon_ms: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs of one bounded read, to be recorded together with ``cursor``.

    Attributes:
        runs: in the order in which they were read, each once.
        gone: open runs that the source no longer has.
        cursor: where the next poll goes on if this one stops here.
        swept: whether a first sync is complete with this batch: everything has been seen once.
        expected: a guess of how many runs there are in all, for a progress bar; 0 is unknown.
    """

    runs: Sequence[RunObservation]
    cursor: str
    swept: bool
    gone: tuple[str, ...] = ()
    expected: int = 0


class RunSource(Protocol):
    """A tracking server, read only."""

    name: str

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        """Yield what is new, changed or running, and a bounded slice of what was seen before.

        The poll is complete when the iterator ends.

        Raises:
            SourceError: the server can't be read; the batches so far stand.
        """
        ...

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        """Return the run's page in the tracking UI, or ``""``."""
        ...

    def check(self) -> list[Finding]:
        """Return what a person should know about reaching this source: never raises for an unreachable one."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``alerter check``.

    Attributes:
        level: ``ok``, ``warning`` or ``error``.
        subject: what was looked at: ``source main``, ``receiver ml-costs``.
        text: what was found.
        remedy: what to do about it; ``""`` where nothing.
    """

    level: str
    subject: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CatalogPrice:
    """One row of a catalog: USD per hour of one machine, as decimal text, and the date it was read on."""

    provider: str
    region: str
    instance_type: str
    purchase_option: str
    per_hour: str
    as_of: str
    catalog: str


class PriceBookError(Exception):
    """A catalog could not be read; the message names it, the cause and the remedy."""


class PriceBook(Protocol):
    """A catalog of instance prices, which doesn't change once it is read."""

    @property
    def name(self) -> str:
        """Which catalog it is, in rules and messages."""
        ...

    @property
    def currency(self) -> str:
        """The ISO-4217 code of every price."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """``file:line: why`` of each row that was skipped."""
        ...

    @property
    def instance_types(self) -> Collection[str]:
        """Every instance type that it knows, as it is spelled in it."""
        ...

    def find(self, instance_type: str) -> Sequence[CatalogPrice]:
        """Return every price of an instance type, in any region and purchase option; empty if unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where one receiver's messages of one kind go: ``{"channel": "#ml-costs"}`` or ``{"to": "a@x, b@x"}``."""

    receiver: str
    settings: Mapping[str, str]


THREAD = "thread"
"""The key of a receipt's reference that only a reply has."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the service said of a delivered message: enough to update it, and to reply to it.

    ``{"channel": "C1", "ts": "1.2"}``. One that became a reply says under ``thread`` what it replies to.
    """

    reference: Mapping[str, str]

    @property
    def is_reply(self) -> bool:
        """Whether it stands in another message's thread."""
        return THREAD in self.reference


class DeliveryError(Exception):
    """A delivery did not succeed; the message names the cause and the remedy, and holds no secret."""


class DeliveryRejectedError(DeliveryError):
    """The service refused it for good: another attempt with the same settings will fail too."""


class DeliveryDelayedError(DeliveryError):
    """The service did not take it this time; ``retry_after`` is in seconds where the service said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeliveryAmbiguousError(DeliveryError):
    """It may have been delivered: look it up before sending again."""


class Notifier(Protocol):
    """A way to reach people."""

    kind: str

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        """Deliver a message. ``key`` identifies the notification and lets `find` recognise it.

        ``thread`` is the message that told of the same before: the new one goes out as a reply to it, where the
        service knows replies and that message is still there.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        ...

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """Look up a message whose delivery ended ambiguously; None if it isn't there or can't be looked up at all.

        ``thread`` as for `send`.

        Raises:
            DeliveryDelayedError: the look-up failed this time; not knowing is no leave to send again.
        """
        ...

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """Show new states on a delivered message; does nothing where the service can't edit."""
        ...

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """Return what a person should know about reaching these targets; sends nothing."""
        ...
