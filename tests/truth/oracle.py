"""What every run costs, worked out anew from what polls saw; it shares no code with the program.

A run is a list of painted lines `[start, end)`, each at one set of hourly prices, and at most one open line.
Observations change the painting as docs/numbers.md tells. Where that leaves room, these are the rules:

1.  Nothing is charged beyond the poll's time. A start in the future, or before September 2001 (seconds taken for
    milliseconds, or none), is the time of the poll that saw it. An end before the start is the start.
2.  What a client says again moves nothing. A start that is told anew moves a run's beginning only to an earlier time,
    and never that of a run that goes on of which nothing was charged before the end that it had. That time is painted
    at today's configuration; a line that goes on takes it in where the prices are the same.
3.  RUNNING accrues from its start up to the last complete poll. RUNNING with an old end is a resumption: it accrues
    from the newest metric after the old end, or else from the poll that saw it.
4.  An end closes the open line there. No end, or one not after the end that a resumed run already had, closes it at the
    last complete poll before this one. So does deletion while RUNNING, going back to SCHEDULED, and vanishing. Where no
    complete poll saw its unbroken stretch, nothing of that stretch counts, whatever prices had cut it into. One that
    was over without an end when it was first seen ends at its newest metric, if that is after its start.
5.  A closed run that is told a later end was resumed and ended between two polls: it is charged from its newest metric
    in between, else nothing more. If it had no end of its own so far (rule 4), it is charged up to the new one. An
    earlier end cuts; but one that is not after the last gap doesn't count.
6.  A painted line keeps its prices. Other params paint all of a run anew at the prices of today's configuration. An
    open line is cut where a dated price changes (UTC midnights) up to the last complete poll; where the price was
    edited instead, it is cut at that poll: the old price before it, the new configuration after it. Of a run that goes
    on prices are looked at when a poll is complete.
7.  A line's cost is a sum over its parts; each is rounded once, half to even, over its whole length; what falls to a
    day is the difference of such cumulative costs at the day's end and at its beginning.
8.  A run that accrues gives signs of life: its newest metric, if that is not before its start and at most 3 h ahead of
    the poll, and up to when the runs below it in the tree of nested runs count (a closed one: its painted end). When a
    complete poll finds the last of them more than 3 h ago, the run counts up to it and no further; without any sign it
    counts for 24 h from where its unbroken stretch began. A later complete poll may find otherwise: then its time costs
    what it did before, and prices are looked at only then. A run that ends while it is so suspected ends there, unless
    that poll finds a newer sign.

Rules 9 and 10 are about runs beside others: see `company`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import zip_longest

from alerter.core.usage import RunObservation
from tests.truth.tariff import Line, Tariff

Plan = tuple[tuple[str, Fraction, Fraction], ...]
"""(what, price an hour in currency units, how many) of each part."""

YEAR_2001 = 1_000_000_000_000


@dataclass
class Story:
    """One run, as polls saw it."""

    lines: list[Line] = field(default_factory=list)
    since: int | None = None
    plan: Plan = ()
    seen: RunObservation | None = None
    is_gone: bool = False
    until: int | None = None
    """Up to when it counts while it is suspected stale."""
    believed: tuple[list[Line], int, Plan] | None = None
    """What was painted before that time was taken away, since when it was open and at which prices."""

    def is_suspect_ending(self, run: RunObservation) -> bool:
        """Rule 8: whether such an end waits for the poll to be complete."""
        return self.since is not None and self.until is not None and str(run.status) not in {"RUNNING", "SCHEDULED"}

    def life(self, metric: int | None, below: int | None, now: int) -> int | None:
        """Rule 8: up to when an open run counts; None if it is believed to run."""
        assert self.seen is not None
        began = self._began()
        signs = [each for each in (below,) if each is not None]
        if metric is not None and min(self.seen.start_ms, began) <= metric <= now + 3 * 3_600_000:
            signs.append(metric)
        if not signs:
            return began + 24 * 3_600_000 if began + 24 * 3_600_000 < now else None
        last = min(max([*signs, began]), now)
        return last if last + 3 * 3_600_000 < now else None

    def _began(self) -> int:
        """Where the unbroken stretch began that the open line is the last of."""
        assert self.since is not None
        began = self.since
        for line in sorted(self.lines, key=lambda each: -each.end):
            began = min(began, line.start) if line.end >= began else began
        return began

    def count_to(self, until: int | None, tariff: Tariff, now: int, last: int) -> None:
        """Rule 8: take up to when it counts from now on."""
        assert self.seen is not None
        assert self.since is not None
        if until is not None and until == self.until:
            return
        self.believe()
        self.until = until
        if until is not None and until < self.since:
            self.believed = [replace(line) for line in self.lines], self.since, self.plan
            self._cut(until)
            self.since, self.plan = until, tariff.plan(dict(self.seen.usage), until)
        else:
            self.reprice(tariff, now, last)

    def believe(self) -> None:
        """Rule 8: as if it had never been suspected."""
        if self.believed is not None:
            self.lines, self.since, self.plan = self.believed
            self.until, self.believed = None, None

    def end(self) -> int | None:
        """The end of all that is painted."""
        return max((line.end for line in self.lines), default=None)

    def observe(self, run: RunObservation, now: int, last: int, tariff: Tariff) -> None:
        before = self.seen
        if before is not None and not self.is_gone and _content(before) == _content(run):
            return
        usage = dict(run.usage)
        other_params = before is not None and before.usage != run.usage
        opened = self.since
        goes_on = str(run.status) == "RUNNING" and not run.deleted
        priced = last if goes_on else now
        if self.since is not None and not goes_on and not other_params:
            self.reprice(tariff, now, last)
        self._meter(run, opened, (now, last, priced), tariff)
        if other_params:
            at = priced if self.until is None or self.since is None else self.until
            self._repaint(tariff, usage, at)
        self.lines = [line for line in sorted(self.lines, key=lambda each: each.start) if line.start < line.end]
        self.until = self.until if self.since is not None else None
        if other_params or self.since is None:
            self.believed = None
        self.seen, self.is_gone = run, False

    def vanish(self, now: int, last: int, tariff: Tariff) -> None:
        if self.since is not None:
            self.reprice(tariff, now, last)
            self._close(max(self._alive(last), self._began()))
            self.lines = [line for line in self.lines if line.start < line.end]
        self.until, self.believed, self.is_gone = None, None, True

    def reprice(self, tariff: Tariff, now: int, last: int) -> None:
        """Rule 6 for the open line."""
        if self.since is None or self.seen is None:
            return
        now = now if self.until is None else self.until
        usage = dict(self.seen.usage)
        until = max(now, self.since + 1)
        dates = tariff.changes(usage, self.since, until)
        if not dates and tariff.plan(usage, self.since) == self.plan:
            return
        if tariff.plan(usage, self.since) != self.plan:
            seen = max(min(last, now), self.since)
            self.lines.append(Line(self.since, seen, self.plan))
            self.since = seen
        self._paint_open(tariff, usage, now)

    def _paint_open(self, tariff: Tariff, usage: dict[str, str], now: int) -> None:
        assert self.since is not None
        for edge in tariff.changes(usage, self.since, max(now, self.since + 1)):
            self.lines.append(Line(self.since, edge, tariff.plan(usage, self.since)))
            self.since = edge
        self.plan = tariff.plan(usage, self.since)

    def _paint(self, tariff: Tariff, usage: dict[str, str], start: int, end: int) -> None:
        at = start
        for edge in [*tariff.changes(usage, start, end), end]:
            if at < edge:
                self.lines.append(Line(at, edge, tariff.plan(usage, at)))
            at = edge

    def _meter(self, run: RunObservation, opened: int | None, times: tuple[int, int, int], tariff: Tariff) -> None:
        now, last, priced = times
        status, usage = str(run.status), dict(run.usage)
        stops = status == "SCHEDULED" or (run.deleted and status == "RUNNING")
        if opened is not None and stops:
            self._close(max(self._alive(last), self._began()))
            return
        if status == "SCHEDULED":
            return
        start = run.start_ms if YEAR_2001 <= run.start_ms <= now else now
        if opened is None and not self.lines:
            self._first(run, start, (now, priced), tariff)
            return
        assert self.seen is not None
        old_end = self.seen.end_ms
        first = min([line.start for line in self.lines] + ([] if self.since is None else [self.since]))
        if run.start_ms != self.seen.start_ms and (self.since is None or old_end is None or first < old_end):
            self._begin_at((start, first), usage, tariff, goes_on=status == "RUNNING" and not run.deleted)
        if status == "RUNNING" and not run.deleted:
            if opened is None:
                after = self.lines[-1].end
                alive = run.last_metric_ms
                self.since = alive if alive is not None and after < alive <= now else max(now, after)
                self._paint_open(tariff, usage, priced)
        elif opened is not None:
            unended = run.end_ms is None or (old_end is not None and run.end_ms <= old_end)
            end = max(last, self._began()) if unended or run.end_ms is None else min(run.end_ms, now)
            self._close(now)
            self._cut(self._alive(end))
        elif run.end_ms is not None and run.end_ms != old_end:
            self._another_end(run, run.end_ms, old_end, now, tariff)

    def _begin_at(self, time: tuple[int, int], usage: dict[str, str], tariff: Tariff, *, goes_on: bool) -> None:
        """Rule 2: paint the time from a start to the first that is painted, if the start is earlier."""
        start, first = time
        earlier = Story()
        earlier._paint(tariff, usage, start, first)
        if self.believed is not None:
            self.believed[0][:0] = [replace(line) for line in earlier.lines]
        self.lines[:0] = earlier.lines
        if goes_on and self.since == first and earlier.lines and earlier.lines[-1].plan == self.plan:
            self.lines.remove(earlier.lines[-1])
            self.since = earlier.lines[-1].start

    def _first(self, run: RunObservation, start: int, times: tuple[int, int], tariff: Tariff) -> None:
        now, priced = times
        usage = dict(run.usage)
        lives = str(run.status) == "RUNNING" and not run.deleted
        if lives and run.end_ms is None:
            self.since = start
            self._paint_open(tariff, usage, priced)
            return
        alive = run.last_metric_ms
        signed = alive if alive is not None and start < alive <= now else start
        end = signed if run.end_ms is None else min(max(run.end_ms, start), now)
        self._paint(tariff, usage, start, end)
        if lives and run.end_ms is not None:
            self.since = max(alive if alive is not None and run.end_ms < alive <= now else now, end)
            self._paint_open(tariff, usage, priced)

    def _another_end(self, run: RunObservation, end: int, old_end: int | None, now: int, tariff: Tariff) -> None:
        last_end, blocks = self.lines[-1].end, self._block_ends()
        if len(blocks) > 1 and end <= blocks[-2]:
            return
        usage, alive = dict(run.usage), run.last_metric_ms
        if end <= last_end:
            self._cut(end)
        elif old_end is None:
            self._paint(tariff, usage, last_end, min(end, now))
        elif alive is not None and last_end < alive <= min(end, now):
            self._paint(tariff, usage, alive, min(end, now))

    def _alive(self, at: int) -> int:
        return at if self.until is None else min(at, self.until)

    def _close(self, at: int) -> None:
        assert self.since is not None
        self.lines.append(Line(self.since, max(at, self.since), self.plan))
        self.since = None
        self._cut(at)

    def _cut(self, at: int) -> None:
        for line in self.lines:
            line.end = min(line.end, at)
        self.lines = [line for line in self.lines if line.start < line.end]

    def _block_ends(self) -> list[int]:
        """Ends of the stretches of closed lines without a gap between them."""
        ordered = sorted(self.lines, key=lambda each: each.start)
        return [
            line.end for line, after in zip_longest(ordered, ordered[1:]) if after is None or after.start > line.end
        ]

    def _repaint(self, tariff: Tariff, usage: dict[str, str], now: int) -> None:
        """Paint everything anew, as if it had never been cut."""
        stretches: list[list[int]] = []
        for line in sorted(self.lines, key=lambda each: each.start):
            if stretches and stretches[-1][1] == line.start:
                stretches[-1][1] = line.end
            else:
                stretches.append([line.start, line.end])
        if self.since is not None and stretches and stretches[-1][1] == self.since:
            self.since = stretches.pop()[0]
        self.lines = []
        for start, end in stretches:
            self._paint(tariff, usage, start, end)
        if self.since is not None:
            self._paint_open(tariff, usage, now)


def _content(run: RunObservation) -> tuple[object, ...]:
    return (str(run.status), run.start_ms, run.end_ms, run.deleted, run.tags, run.usage, run.parent_uuid)
