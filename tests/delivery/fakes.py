"""A service that fails the way a test scripts it, and a clock that a test moves."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from alerter.core.alerts import AlertState, Message
from alerter.core.ports import (
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryRejectedError,
    Finding,
    Receipt,
    Target,
)

LATE_MS = 20_000


class CrashError(BaseException):
    """The process dies here: nothing that catches `Exception` sees it."""


@dataclass
class Clock:
    """Epoch milliseconds; calling it does not move it."""

    now_ms: int

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Service:
    """A notifier whose sends end as scripted, one word each, ``ok`` when the script is over.

    ok, delay, limit (429 with Retry-After 60), reject, lost (a time-out, not posted), posted (a time-out, yet posted),
    late (a time-out, posted 20 s later), bug (an exception of its own, posted), crash_before, crash_after.
    A look-up ends as ``finds`` says: ok, fail, bug.
    """

    clock: Callable[[], int]
    kind: str = "slack"
    script: list[str] = field(default_factory=list)
    finds: list[str] = field(default_factory=list)
    updates_script: list[str] = field(default_factory=list)
    posts: list[tuple[str, int]] = field(default_factory=list)  # key, visible from
    told: list[tuple[Target, Message, Mapping[str, AlertState]]] = field(default_factory=list)
    updated: list[tuple[str, Mapping[str, str], Mapping[str, AlertState]]] = field(default_factory=list)
    looked_up: list[tuple[str, int]] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    threads: dict[str, Mapping[str, str] | None] = field(default_factory=dict)  # key -> what it replied to
    shown: dict[str, Message] = field(default_factory=dict)  # key -> what it says now

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        how = self.script.pop(0) if self.script else "ok"
        self.attempts.append(key)
        if how in {"ok", "posted", "late", "bug", "crash_after"}:
            self.posts.append((key, self.clock() + (LATE_MS if how == "late" else 0)))
            self.told.append((target, message, states))
            self.threads[key] = thread.reference if thread else None
            self.shown[key] = message
        errors: dict[str, BaseException] = {
            "delay": DeliveryDelayedError("can't be reached"),
            "limit": DeliveryDelayedError("rate limited", 60.0),
            "reject": DeliveryRejectedError("channel_not_found; correct slack.channel"),
            "bug": ValueError("a bug"),
            "crash_before": CrashError(),
            "crash_after": CrashError(),
        }
        if how != "ok":
            raise errors.get(how, DeliveryAmbiguousError("time-out"))
        return self._receipt(key)

    def _receipt(self, key: str) -> Receipt:
        above = self.threads[key]
        return Receipt({"key": key} | ({"thread": above["key"]} if above else {}))

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        self.looked_up.append((key, since_ms))
        self.threads.setdefault(key, thread.reference if thread else None)
        how = self.finds.pop(0) if self.finds else "ok"
        if how == "bug":
            raise KeyError(target.receiver)
        if how == "fail":
            raise DeliveryDelayedError("can't be reached")
        there = any(posted == key and since_ms <= at <= self.clock() for posted, at in self.posts)
        return self._receipt(key) if there else None

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        how = self.updates_script.pop(0) if self.updates_script else "ok"
        if how == "reject":
            raise DeliveryRejectedError("message_not_found")
        if how == "bug":
            raise ValueError(target, message)
        if how == "limit":
            raise DeliveryDelayedError("rate limited", 60.0)
        self.updated.append((key, receipt.reference, states))
        self.shown[key] = message

    def check(self, targets: Collection[Target]) -> list[Finding]:
        return [Finding("ok", each.receiver, "there") for each in targets]

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.posts]
