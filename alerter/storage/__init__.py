"""Charge the bytes that are held: what each run and LoggedModel holds is noted, and charged per tag set and UTC day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from alerter.core.periods import DAY_MS, HOUR_MS
from alerter.core.storage import Artifacts, ModelSeen
from alerter.storage.levels import Levels
from alerter.store.holdings import (
    GONE,
    WALK,
    Holding,
    NotedRun,
    Place,
    drop_holdings,
    forget_holdings,
    held_bytes,
    holdings_of,
    noted_runs,
    put_holdings,
    stored_tags,
    unnoted_runs,
)
from alerter.store.interning import Interner
from alerter.store.sources import SourceState

MODELS_EVERY_MS = 5 * 60_000
RETRY_MS = DAY_MS
"""After so long what can't be listed is tried again."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk over a run's or LoggedModel's folders found; ``size`` is None where they can't be listed."""

    holding: Holding
    size: int | None


class StorageRecorder:
    """Writes what is held into one ledger under one configuration.

    Args:
        interner: of the ledger that is written.
        levels: how many bytes are charged under which tags.
        wanted: whether anything is charged; without, what another configuration charged comes to its end.
        resweep_ms: within so long it is noticed that something is no longer there.
    """

    def __init__(self, interner: Interner, levels: Levels, *, wanted: bool, resweep_ms: int) -> None:
        self.wanted = wanted
        self._interner = interner
        self._levels = levels
        self._resweep_ms = resweep_ms
        self._begun: set[int] = set()
        self._models_read_ms: dict[int, int] = {}

    def is_due(self, source: SourceState, now_ms: int) -> bool:
        """Whether there is something to `settle`."""
        is_new_day = now_ms // DAY_MS != (source.complete_ms or 0) // DAY_MS
        return source.id not in self._begun or (self.wanted and is_new_day)

    def reads_models(self, source: SourceState, now_ms: int) -> bool:
        """Tell whether LoggedModels are to be read at a poll: every few minutes, they come and go slowly."""
        if now_ms - self._models_read_ms.get(source.id, 0) < MODELS_EVERY_MS:
            return False
        self._models_read_ms[source.id] = now_ms
        return True

    def settle(self, connection: Connection, source: SourceState, now_ms: int) -> None:
        """Charge the days that are over; the first time also what was noted under another configuration, or never."""
        if self.wanted:
            self._levels.charge(connection, source, now_ms - now_ms % DAY_MS)
        if source.id in self._begun:
            return
        if self.wanted:
            self._note(connection, source.id, unnoted_runs(connection, source.id))
            self._levels.set(connection, source, held_bytes(connection, source.id), now_ms)
        else:
            forget_holdings(connection, source.id)
            self._levels.set(connection, source, {}, source.complete_ms or now_ms)
        self._begun.add(source.id)

    def note(self, connection: Connection, source: SourceState, run_ids: Sequence[int], now_ms: int) -> None:
        """Note runs that changed: those that ended are to be walked, those with other tags take their bytes along."""
        changes = self._note(connection, source.id, noted_runs(connection, run_ids))
        self._levels.change(connection, source, changes, now_ms)

    def note_models(
        self, connection: Connection, source: SourceState, models: Sequence[ModelSeen], now_ms: int
    ) -> None:
        """Note LoggedModels: new and changed ones are to be walked, once nothing is uploaded to them any more.

        One that a run logged counts under that run's tags.
        """
        logged_by = sorted({each.artifacts.run_uuid for each in models})
        known = holdings_of(connection, source.id, logged_by)
        runs = stored_tags(connection, source.id, logged_by)
        own = self._interner.tag_sets.ids(connection, {each.tags for each in models})
        changes: Counter[Place] = Counter()
        put = []
        for model in models:
            tag_set_id = runs.get(model.artifacts.run_uuid, own[model.tags])
            before = known.get(model.artifacts)
            if before is None:
                if model.ready:
                    put.append(Holding(model.artifacts, model.experiment_id, tag_set_id, model.changed_ms))
            elif (before.mark_ms, before.tag_set_id) != (model.changed_ms, tag_set_id):
                put.append(_moved(before, tag_set_id, model.changed_ms, changes))
        put_holdings(connection, source.id, put)
        self._levels.change(connection, source, changes, now_ms)

    def walked(self, connection: Connection, source: SourceState, found: Iterable[Walked], now_ms: int) -> None:
        """Record what walks found."""
        changes: Counter[Place] = Counter()
        put = []
        for each in found:
            before = each.holding
            changes[before.place] += (each.size or 0) - (before.size or 0)
            due_ms = now_ms + RETRY_MS if each.size is None else self._look_again_ms(now_ms)
            put.append(replace(before, size=each.size, due_ms=due_ms))
        put_holdings(connection, source.id, put)
        self._levels.change(connection, source, changes, now_ms)

    def looked(
        self,
        connection: Connection,
        source: SourceState,
        wanted: Collection[Holding],
        there: Collection[Artifacts],
        now_ms: int,
    ) -> None:
        """Record what is still there of what was looked for; what is gone holds nothing any more."""
        gone = [each for each in wanted if each.artifacts not in there]
        due_ms = self._look_again_ms(now_ms)
        put_holdings(
            connection, source.id, [replace(each, due_ms=due_ms) for each in wanted if each.artifacts in there]
        )
        drop_holdings(connection, source.id, [each.artifacts for each in gone])
        changes: Counter[Place] = Counter()
        for each in gone:
            changes[each.place] -= each.size or 0
        self._levels.change(connection, source, changes, now_ms)

    def _look_again_ms(self, now_ms: int) -> int:
        # Rounded, so that many are looked for with one request.
        step = max(min(HOUR_MS, self._resweep_ms // 4), 1)
        return (now_ms + self._resweep_ms) // step * step

    def _note(self, connection: Connection, source_id: int, runs: Sequence[NotedRun]) -> Counter[Place]:
        known = holdings_of(connection, source_id, [each.run_uuid for each in runs])
        by_run: dict[str, list[Holding]] = {}
        for holding in known.values():
            by_run.setdefault(holding.artifacts.run_uuid, []).append(holding)
        changes: Counter[Place] = Counter()
        put, gone = [], []
        for run in runs:
            own = Artifacts(run.run_uuid)
            held = by_run.get(run.run_uuid, [])
            if run.has_ended and own not in known:
                put.append(Holding(own, run.experiment_id, run.tag_set_id, run.end_ms))
            for holding in held:
                mine = holding.artifacts == own
                if mine and run.state == GONE:
                    changes[holding.place] -= holding.size or 0
                    gone.append(own)
                    continue
                mark_ms = run.end_ms if mine and run.has_ended else holding.mark_ms
                if (mark_ms, run.tag_set_id) != (holding.mark_ms, holding.tag_set_id):
                    put.append(_moved(holding, run.tag_set_id, mark_ms, changes))
        put_holdings(connection, source_id, put)
        drop_holdings(connection, source_id, gone)
        return changes


def _moved(holding: Holding, tag_set_id: int, mark_ms: int, changes: Counter[Place]) -> Holding:
    """Return a holding under other tags, to be walked again where its mark is another one."""
    due_ms = holding.due_ms if mark_ms == holding.mark_ms else WALK
    moved = replace(holding, tag_set_id=tag_set_id, mark_ms=mark_ms, due_ms=due_ms)
    changes[holding.place] -= holding.size or 0
    changes[moved.place] += moved.size or 0
    return moved
