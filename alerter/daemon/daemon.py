"""The daemon: what runs beside each other, how it begins, and how it ends."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from alerter import __version__, sd_notify
from alerter.bootstrap import wire as bootstrap_wire
from alerter.config import Config
from alerter.cycle import Progress
from alerter.daemon.alarm import Alarm
from alerter.daemon.outage import Memory
from alerter.daemon.outbox import Outbox
from alerter.daemon.poller import PART, Poller
from alerter.daemon.present import Generation, Present, Wire
from alerter.daemon.pulse import Pulse
from alerter.daemon.reloader import Reloader
from alerter.daemon.scheduler import Scheduler
from alerter.daemon.windows import Windows
from alerter.leadership import Leadership, lease_s
from alerter.metrics import Metrics
from alerter.store.engine import Store, StoreError

log = logging.getLogger(__name__)

WATCH_S = 2.0
"""How often the configuration's files are looked at; a change takes effect when two looks agree."""

LEAVE_S = 18.0
"""How long everything together may take to end; systemd and Docker are told to wait longer."""

POLL = "poll"
RELOAD = "reload"

_NOT_READY_S = 60.0
"""A part that was silent for so long makes the daemon not ready, though it may only be waiting for a slow server."""

_STATUS_S = 1.0


def _real_ms() -> int:
    return time.time_ns() // 1_000_000


def _no_progress(_source: str, _seen: int, _expected: int) -> None:
    return None


class Daemon:
    """Polls, evaluates, delivers and serves the page until it is told to stop.

    It installs no signal handlers and doesn't exit: it runs inside a test as it does in a process of its own.

    Args:
        config: what to begin with; its folder is watched.
        store: a migrated database that this process holds.
        clock: the time in epoch milliseconds.
        wire: makes services of a configuration.
        environ: for the secrets of a reload, and for systemd's addresses.
        watch_s: how often the configuration's files are looked at.
        leave_s: how long everything together may take to end.
        progress: told how far a poll has come.

    Attributes:
        ready: set when the page can be opened and the first cycle is on its way.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        clock: Callable[[], int] = _real_ms,
        wire: Wire = bootstrap_wire,
        environ: Mapping[str, str] = os.environ,
        watch_s: float = WATCH_S,
        leave_s: float = LEAVE_S,
        progress: Progress = _no_progress,
    ) -> None:
        self.ready = threading.Event()
        self._config = config
        self._environ = environ
        self._clock = clock
        self._watch_s = watch_s
        self._leave_s = leave_s
        self._progress = progress
        self._leave_by: float | None = None
        self._status_at = 0.0
        self._troubles: dict[str, str] = {}
        self._metrics = Metrics(__version__)
        self._pulse = Pulse()
        self._scheduler = Scheduler()
        self._leadership = Leadership(
            store, length_s=lease_s(config.poll.every_s), alive=self._poll_lives, changed=self._on_role
        )
        self._present = Present(store, wire, clock, self._leadership)
        self._alarm = Alarm(Memory(store.url, environ), clock, store.session)
        self._outbox = Outbox(clock=clock, owner=store.session, pulse=self._pulse)
        self._windows = Windows(self._present, config, self._metrics, clock, lambda: self._leadership.role)
        self._poller = self._make_poller()
        self._reloader = self._make_reloader()

    @property
    def url(self) -> str:
        """The page's address, once `ready` is set."""
        return self._windows.url

    def run(self, stop: threading.Event, started: Callable[[Daemon], None] = lambda _daemon: None) -> None:
        """Run until ``stop`` is set, then end what runs within ``leave_s``; ``started`` is called once it is ready.

        Raises:
            StoreError, PriceBookError, MoneyError: the first configuration can't be wired.
            WebServerError: the page can't be served.
        """
        with ExitStack() as stack:
            stack.callback(log.info, "stopped")
            self._leadership.begin()
            stack.callback(self._leadership.end)
            generation = self._present.adopt(self._config)
            self._metrics.config_loaded(ok=True, at_ms=self._clock())
            self._outbox.start(generation.services, generation.stop)
            stack.callback(lambda: self._outbox.join(self._remaining()))
            stack.callback(self._end_cycle)
            self._windows.open(
                stack,
                self._remaining,
                problems=self._problems,
                late=lambda: self._pulse.late(_NOT_READY_S),
                changed=self._outbox.ring,
            )
            for problem in self._windows.problems():
                log.warning("problem text=%r", problem)
            self._poller.expect()
            self._scheduler.every(self._watch_s, RELOAD, self._guarded(RELOAD, self._look))
            self._schedule_poll()
            self._scheduler.start()
            stack.callback(self._scheduler.stop)
            stack.callback(self._tell_systemd, sd_notify.STOPPING)
            self._tell_systemd(sd_notify.READY, sd_notify.status("first cycle"))
            self.ready.set()
            started(self)
            self._watch(stop)
            self._present.end()  # at once for all of them: they end beside each other

    def reload(self) -> None:
        """Read the configuration again, with its secrets, whether files changed or not; returns at once."""
        self._reloader.ask()
        self._scheduler.now(RELOAD)

    def _make_poller(self) -> Poller:
        return Poller(
            self._present,
            self._leadership,
            clock=self._clock,
            metrics=self._metrics,
            pulse=self._pulse,
            done=self._after_cycle,
            adopted=self._serve,
            progress=self._on_progress,
        )

    def _make_reloader(self) -> Reloader:
        return Reloader(
            self._present,
            self._config,
            environ=self._environ,
            clock=self._clock,
            metrics=self._metrics,
            adopted=self._on_adopted,
            told=self._outbox.ring,
        )

    def _watch(self, stop: threading.Event) -> None:
        """Wait for the stop, and tell systemd's watchdog that all is well as long as it is."""
        limit = sd_notify.watchdog_s(self._environ)
        while not stop.wait(limit and limit / 3):
            late = self._pulse.late()
            if late:
                log.error("no sign of life, so the watchdog gets none parts=%s", late)
            else:
                self._tell_systemd(sd_notify.WATCHDOG)

    def _look(self) -> None:
        self._windows.look()
        if self._reloader.is_due():
            self._reloader.reload(self._announced)
        self._reloader.tell()

    def _announced(self, work: Callable[[], None]) -> None:
        self._tell_systemd(sd_notify.reloading())
        try:
            work()
        finally:
            self._tell_systemd(sd_notify.READY, sd_notify.status(self._poller.summary or "first cycle"))

    def _on_adopted(self, generation: Generation) -> None:
        """Deliver and poll by a new configuration."""
        self._serve(generation)
        self._leadership.length_s = lease_s(generation.services.config.poll.every_s)
        self._schedule_poll()

    def _serve(self, generation: Generation) -> None:
        """Deliver with new services; the attempts of the old ones have been told to end."""
        self._outbox.join(self._remaining())
        self._outbox.start(generation.services, generation.stop)
        self._poller.expect()

    def _poll_lives(self) -> bool:
        return not self._pulse.is_late(PART)

    def _on_role(self) -> None:
        """Begin to poll at once, or to stand by."""
        self._scheduler.now(POLL)

    def _schedule_poll(self) -> None:
        every_s = self._present.services().config.poll.every_s
        self._scheduler.every(every_s, POLL, self._guarded(POLL, self._poll), at_once=True)

    def _poll(self) -> None:
        self._poller.run()
        if not self._present.ending.is_set():
            self._alarm.well(self._present.services())

    def _after_cycle(self) -> None:
        self._outbox.ring()
        self._tell_systemd(sd_notify.status(self._poller.summary))

    def _on_progress(self, source: str, seen: int, expected: int) -> None:
        self._progress(source, seen, expected)
        now = time.monotonic()
        if now - self._status_at >= _STATUS_S:
            self._status_at = now
            of = f" of about {expected}" if expected else ""
            self._tell_systemd(sd_notify.status(f"reading {source}: {seen}{of} runs"))

    def _guarded(self, name: str, job: Callable[[], None]) -> Callable[[], None]:
        """Return the job with the boundary that it must not cross: a failure is logged, counted and shown."""

        def run() -> None:
            try:
                job()
            except StoreError as error:
                log.error("%s failed, trying again at its next tick error=%s", name, error)  # noqa: TRY400 - it says all
                self._failed(name, str(error))
            except Exception as error:
                log.exception("%s failed, trying again at its next tick", name)
                self._failed(name, f"{type(error).__name__} (the log tells more)")
            else:
                self._troubles.pop(name, None)

        return run

    def _failed(self, name: str, reason: str) -> None:
        self._metrics.job_failed(name)
        self._troubles[name] = f"the {name} failed and is tried again: {reason}"
        if name == POLL:
            generation = self._present.generation
            services, polls = generation.services, generation.epoch is not None
            self._alarm.failed(self._troubles[name], services.config, services.notifiers, tells=polls)

    def _problems(self) -> list[str]:
        late = [f"{part} gives no sign of life" for part in self._pulse.late(_NOT_READY_S)]
        troubles = list(self._troubles.copy().values())
        role = [f"it can't be decided who polls: {self._leadership.problem}"] if self._leadership.problem else []
        return [*self._reloader.findings.sentences(), *role, *troubles, *self._windows.problems(), *late]

    def _end_cycle(self) -> None:
        """Let a cycle that runs finish its batch, and a reload its work."""
        self._present.end()
        if self._present.turn.acquire(timeout=self._remaining()):
            self._present.turn.release()
        else:
            log.warning("a poll is left behind: its server does not answer, and the next start reads it again")

    def _remaining(self, most_s: float = LEAVE_S) -> float:
        """Return how long something may take to end, in seconds; everything together gets ``leave_s``."""
        if not self._present.ending.is_set():
            return most_s
        if self._leave_by is None:
            self._leave_by = time.monotonic() + self._leave_s
        return min(most_s, max(self._leave_by - time.monotonic(), 0.1))

    def _tell_systemd(self, *lines: str) -> None:
        sd_notify.notify(*lines, environ=self._environ)
