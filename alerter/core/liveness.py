"""Signs of life: up to when a run that is RUNNING counts."""

from __future__ import annotations

from dataclasses import dataclass

from alerter.core.periods import HOUR_MS


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run that is RUNNING may be silent before it is suspected stale, in ms.

    Attributes:
        stale_after_ms: after the last metric of it or of a run nested in it.
        no_heartbeat_after_ms: after its start, where there never was one.
    """

    stale_after_ms: int = 3 * HOUR_MS
    no_heartbeat_after_ms: int = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of an accruing run's life; epoch ms.

    Attributes:
        start_ms: its start, as its client says.
        since_ms: where the stretch began that it accrues in.
        metric_ms: its newest metric, or None.
        kin_ms: up to when the runs nested in it counted or count, or None.
    """

    start_ms: int
    since_ms: int
    metric_ms: int | None = None
    kin_ms: int | None = None


def counted_to(life: Life, patience: Patience, now_ms: int) -> int | None:
    """Return up to when a run counts that is suspected stale at ``now``; None for one that is believed to run.

    That is its last sign of life. One that never gave any is given the benefit of the doubt for
    ``no_heartbeat_after``, and counts for that long. A metric before the run's start tells of data, not of life; one
    further ahead than ``stale_after`` is a broken clock's.
    """
    signs = [] if life.kin_ms is None else [life.kin_ms]
    if life.metric_ms is not None and life.start_ms <= life.metric_ms <= now_ms + patience.stale_after_ms:
        signs.append(life.metric_ms)
    if not signs:
        until = life.since_ms + patience.no_heartbeat_after_ms
        return until if until < now_ms else None
    last = min(max(*signs, life.since_ms), now_ms)
    return last if last + patience.stale_after_ms < now_ms else None
