"""What `/metrics` tells Prometheus. One `Metrics` holds its own registry, so that tests and reloads can have several.

Counters are moved by the daemon as things happen; what the database knows better (alerts, notifications) is set from it
just before a scrape.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_POLL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """Counters and gauges of one daemon; every method may be called from any thread.

    Times are in seconds, as Prometheus wants; ``at_ms`` arguments are epoch milliseconds, as everywhere else.
    """

    def __init__(self, version: str) -> None:
        self.registry = into = CollectorRegistry()
        by = ("source",)
        self._polls = Counter("alerter_polls_total", "Polls of a source that have ended.", by, registry=into)
        self._failed = Counter("alerter_polls_failed_total", "Polls that did not complete.", by, registry=into)
        self._seconds = Histogram(
            "alerter_poll_duration_seconds", "Time that a poll took.", by, registry=into, buckets=_POLL_BUCKETS
        )
        self._register_read(into)
        self._leader = Gauge("alerter_leader", "1 while this daemon polls, 0 while it stands by.", registry=into)
        self._leader.set(1)
        self._running = Gauge("alerter_running_runs", "Runs that accrue cost now.", by, registry=into)
        self._complete = Gauge(
            "alerter_last_complete_poll_timestamp_seconds", "When a poll last completed.", by, registry=into
        )
        self._register_alerts(into)
        self._reload_ok = Gauge(
            "alerter_config_last_reload_successful", "1 if the last (re)load took every file, else 0.", registry=into
        )
        self._reload_at = Gauge(
            "alerter_config_last_reload_success_timestamp_seconds", "When one last took every file.", registry=into
        )
        self._socket = Gauge("alerter_slack_socket_up", "1 while Socket Mode is connected, else 0.", registry=into)
        self._job_failures = Counter(
            "alerter_job_failures_total", "Times that a job of the daemon failed.", ("job",), registry=into
        )
        build = Gauge("alerter_build_info", "1; the label tells the version.", ("version",), registry=into)
        build.labels(version).set(1)

    def _register_read(self, into: CollectorRegistry) -> None:
        by = ("source",)
        self._seen = Counter("alerter_runs_seen_total", "Runs that polls read, repeats included.", by, registry=into)
        self._clamped = Counter(
            "alerter_clamped_runs_total", "Runs whose clocks were corrected, repeats included.", by, registry=into
        )
        self._traces = Counter(
            "alerter_traces_total",
            "Traces whose tokens were counted, by outcome.",
            (*by, "outcome"),
            registry=into,
        )
        self._artifacts = Counter(
            "alerter_artifact_walks_total",
            "Runs and LoggedModels whose artifacts were looked at, by outcome.",
            (*by, "outcome"),
            registry=into,
        )

    def _register_alerts(self, into: CollectorRegistry) -> None:
        self._alerts = Gauge("alerter_alerts", "Alerts that are not resolved, by status.", ("status",), registry=into)
        self._notifications = Gauge(
            "alerter_notifications", "Messages in the outbox by way and state.", ("kind", "state"), registry=into
        )
        self._digests = Gauge(
            "alerter_last_digest_timestamp_seconds", "When a digest was last claimed.", ("digest",), registry=into
        )
        self._decisions = Counter(
            "alerter_decisions_total",
            "Episodes that were told, and silences that began, by reason.",
            ("reason",),
            registry=into,
        )

    def decided(self, counts: Mapping[str, int]) -> None:
        """Add how often the cycle decided for each reason to tell, or began a silence for it."""
        for reason, count in counts.items():
            self._decisions.labels(reason).inc(count)

    def poll_done(self, source: str, *, seconds: float, runs: int, running: int, at_ms: int) -> None:
        """Count a complete poll that read ``runs`` runs, ``running`` of which accrue."""
        self._count(source, seconds, runs)
        self._running.labels(source).set(running)
        self._complete.labels(source).set(at_ms / 1000)
        self._failed.labels(source)  # from the first poll on it is 0, not absent: rate() needs that

    def set_leader(self, leads: bool) -> None:  # noqa: FBT001 - one value, named by the method
        """Say whether this daemon polls; what runs accrue is told by the one that does."""
        self._leader.set(1 if leads else 0)
        if not leads:
            self._running.clear()

    def set_complete(self, source: str, at_ms: int | None) -> None:
        """Set when a poll last completed, by whichever daemon; None if none ever did."""
        if at_ms is not None:
            self._complete.labels(source).set(at_ms / 1000)

    def poll_failed(self, source: str, *, seconds: float, runs: int = 0) -> None:
        """Count a poll that ended early, after ``runs`` runs."""
        self._count(source, seconds, runs)
        self._failed.labels(source).inc()

    def clocks_clamped(self, source: str, runs: int) -> None:
        """Count the runs of a poll that told times which can't be."""
        self._clamped.labels(source).inc(runs)

    def traces_counted(self, source: str, outcomes: Mapping[str, int]) -> None:
        """Add how many traces were ``counted``, and of them ``unpriced``, ``cost_differs`` and ``count_differs``."""
        for outcome, count in outcomes.items():
            self._traces.labels(source, outcome).inc(count)

    def artifacts_walked(self, source: str, outcomes: Mapping[str, int]) -> None:
        """Add how many runs and LoggedModels were ``walked``, are ``unlistable`` or ``gone``."""
        for outcome, count in outcomes.items():
            self._artifacts.labels(source, outcome).inc(count)

    def job_failed(self, job: str) -> None:
        """Count that a job (``poll``, ``reload``) failed; it is tried again at its next tick."""
        self._job_failures.labels(job).inc()

    def set_alerts(self, counts: Mapping[str, int]) -> None:
        """Set how many alerts are ``firing``, ``acknowledged`` and ``snoozed``; a status left out is 0."""
        for status in ("firing", "acknowledged", "snoozed"):
            self._alerts.labels(status).set(counts.get(status, 0))

    def set_notifications(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set how many messages there are by ``(kind, state)``, such as ``("slack", "pending")``."""
        self._notifications.clear()
        for (kind, state), count in counts.items():
            self._notifications.labels(kind, state).set(count)

    def set_digests(self, sent: Mapping[str, int]) -> None:
        """Set when each digest was last claimed, by its name, in epoch milliseconds."""
        for name, at_ms in sent.items():
            self._digests.labels(name).set(at_ms / 1000)

    def config_loaded(self, *, ok: bool, at_ms: int) -> None:
        """Say whether the start or the last reload took every configuration file."""
        self._reload_ok.set(1 if ok else 0)
        if ok:
            self._reload_at.set(at_ms / 1000)

    def set_socket_up(self, up: bool) -> None:  # noqa: FBT001 - one value, named by the method
        """Say whether Slack's Socket Mode is connected."""
        self._socket.set(1 if up else 0)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _count(self, source: str, seconds: float, runs: int) -> None:
        self._polls.labels(source).inc()
        self._seconds.labels(source).observe(seconds)
        self._seen.labels(source).inc(runs)
