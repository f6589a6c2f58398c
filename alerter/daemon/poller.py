"""The cycle as a job: what it did is counted, told to systemd, and delivered at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from alerter.bootstrap import warm_up
from alerter.cycle import CycleReport, Polled, Progress, run_cycle
from alerter.daemon.present import Generation, Present
from alerter.daemon.pulse import Pulse
from alerter.leadership import Leadership
from alerter.metrics import Metrics
from alerter.store.lease import FencedError

log = logging.getLogger(__name__)

PART = "the poll"
HANGS_AFTER_S = 300.0
"""A read gives up on a server after three attempts of 30 s each, and gives a sign of life after every batch."""

SOURCE_S = 120.0


class Poller:
    """Runs one cycle at a time.

    Attributes:
        done: called after a cycle has committed, or nothing was to be done.
        adopted: called with services that were wired anew because this process polls now, or no longer does.
        progress: called with how far a poll has come.
        summary: what the last cycle did, or who polls instead, in a line; ``""`` before the first.
    """

    def __init__(
        self,
        present: Present,
        leadership: Leadership,
        *,
        clock: Callable[[], int],
        metrics: Metrics,
        pulse: Pulse,
        done: Callable[[], None],
        adopted: Callable[[Generation], None],
        progress: Progress,
    ) -> None:
        self._present = present
        self._leadership = leadership
        self._clock = clock
        self._metrics = metrics
        self._pulse = pulse
        self.done = done
        self.adopted = adopted
        self.progress = progress
        self.summary = ""
        self._failing: dict[str, str] = {}

    def expect(self) -> None:
        """Expect a sign of life as often as the configuration of the moment makes one due."""
        services = self._present.services()
        limit = 3 * services.config.poll.every_s + HANGS_AFTER_S + SOURCE_S * len(services.sources)
        self._pulse.expect(PART, limit)

    def run(self) -> None:
        """Do one cycle, where this process is the one that polls.

        Raises:
            StoreError: the database can't be used; the next tick tries again.
        """
        with self._present.turn:
            self._pulse.beat(PART)
            if self._present.ending.is_set():
                return
            if (fresh := self._present.follow()) is not None:
                self.adopted(fresh)
            report = self._cycle(self._present.generation)
        if self._present.ending.is_set():
            return  # it was stopped half-way, which is no failure
        self._pulse.beat(PART)
        if report is None:
            self.summary = self._leadership.role
        else:
            self._note(report)
        self.done()

    def _cycle(self, generation: Generation) -> CycleReport | None:
        """Do one cycle; None if another process polls."""
        if generation.epoch is None:
            warm_up()
            return None
        try:
            now_ms = self._clock()
            return run_cycle(
                generation.services, now_ms, stop=generation.stop, progress=self._advance, clock=self._clock
            )
        except FencedError as error:
            log.warning("the cycle is given up: %s", error)
            return None

    def _note(self, report: CycleReport) -> None:
        for polled in report.polls:
            self._count(polled)
        self._metrics.decided(report.decisions)
        self.summary = _summary(report, self._clock())
        log.info("cycle done %s", self.summary)

    def _advance(self, source: str, seen: int, expected: int) -> None:
        self._pulse.beat(PART)
        self.progress(source, seen, expected)

    def _count(self, polled: Polled) -> None:
        if polled.tokens.counted:
            self._metrics.traces_counted(polled.source, asdict(polled.tokens))
        if any(polled.storage.outcomes.values()):
            self._metrics.artifacts_walked(polled.source, polled.storage.outcomes)
        self._metrics.clocks_clamped(polled.source, polled.recorded.clamped)
        # Once a process: who reads the log after a restart is told why, too.
        if polled.error and self._failing.get(polled.source) != polled.error:
            log.warning("poll failed source=%s error=%s", polled.source, polled.error)
        self._failing[polled.source] = polled.error
        if polled.error:
            self._metrics.poll_failed(polled.source, seconds=polled.seconds, runs=polled.recorded.seen)
            return
        self._metrics.poll_done(
            polled.source,
            seconds=polled.seconds,
            runs=polled.recorded.seen,
            running=polled.running,
            at_ms=self._clock(),
        )


def _summary(report: CycleReport, now_ms: int) -> str:
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    read = sum(each.recorded.seen for each in report.polls)
    running = sum(each.running for each in report.polls)
    failed = ",".join(each.source for each in report.failed) or "none"
    return (
        f"at={at:%H:%M:%SZ} runs_read={read} running={running} failed_sources={failed} "
        f"alerts_fired={report.fired} messages={report.enqueued}"
    )
