"""A run that is seen with other content is noticed, whatever it is that changed; one with the same is left alone."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.core.ports import Batch
from alerter.core.usage import Pairs, RunObservation, RunStatus
from alerter.recording.outcome import Recorded
from alerter.store import sources
from alerter.store.engine import Store
from tests.truth.ledgers import HOUR, MINUTE, House, config_of, house_on, run

T0 = int(datetime(2026, 11, 10, tzinfo=UTC).timestamp()) * 1000
BUDGETS = "defaults: {receivers: [console]}\nbudgets: [{name: all, amount: 10, period: monthly}]\n"
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1.1"}]\n'
ROW = 'experiment_id, "user", name, start_ms, end_ms, state, tags, usage, parent_uuid, costs'
_numbers = count(1)

texts = st.sampled_from(["", "a", "A", "a ", "a\n", "\u00e9", "e\u0301", "🙂", "None", "RUNNING DELETED"])


def pairs(*keys: str) -> st.SearchStrategy[Pairs]:
    some = st.dictionaries(st.sampled_from(keys), texts, max_size=2)
    return some.map(lambda each: tuple(sorted(each.items())))


FIELDS: dict[str, st.SearchStrategy[object]] = {
    "status": st.sampled_from(RunStatus),
    "start_ms": st.integers(T0 - 5 * HOUR, T0 - 4 * HOUR),
    "end_ms": st.one_of(st.none(), st.integers(T0 - 3 * HOUR, T0)),
    "deleted": st.booleans(),
    "name": texts,
    "user": texts,
    "experiment_id": st.sampled_from(["1", "2", "10"]),
    "tags": pairs("team", "Team", "experiment", "t\u00e9am"),
    "usage": pairs("instance_type", "num_nodes"),
    "costs": st.dictionaries(st.sampled_from(["metric.c", "tag.c"]), st.sampled_from(["1", "1.0", "2.50"])).map(
        lambda each: tuple(sorted(each.items()))
    ),
    "parent_uuid": st.sampled_from([None, "a-parent", "another"]),
}


@pytest.fixture
def home(store: Store, tmp_path: Path) -> House:
    return house_on(config_of(tmp_path / "config", BUDGETS, PRICES), store, T0)


def record(home: House, *runs: RunObservation, gone: tuple[str, ...] = ()) -> Recorded:
    with home.services.ledger.write() as view:
        state = sources.source_state(view.connection, "main")
        return home.services.recorder.record(view.connection, state, Batch(runs, "1", swept=True, gone=gone), now_ms=T0)


def row(home: House, uuid: str) -> tuple[object, ...]:
    joined = "run JOIN tag_set t ON t.id = tag_set_id JOIN usage_set u ON u.id = usage_set_id"
    (found,) = home.rows(f"SELECT {ROW} FROM {joined} WHERE run_uuid = ?", uuid)  # noqa: S608
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries(FIELDS), st.fixed_dictionaries(FIELDS))
def test_each_change_is_written_and_what_is_as_it_was_is_not(
    home: House, first: dict[str, object], second: dict[str, object]
) -> None:
    seen = replace(run(f"r{next(_numbers)}", "FINISHED", T0), **first)  # type: ignore[arg-type]
    assert record(home, seen).written == 1
    for field, value in second.items():
        before, stood = seen, row(home, seen.run_uuid)
        assert record(home, replace(deepcopy(before), last_metric_ms=T0 - MINUTE)).written == 0
        seen = replace(before, **{field: value})  # type: ignore[arg-type]
        assert record(home, seen).written == (seen != before)
        assert (row(home, seen.run_uuid) != stood) == (seen != before)
    home.services.ledger.interner.forget()  # as after a restart
    assert record(home, deepcopy(seen)).written == 0


def test_one_that_is_gone_and_comes_back_is_written_once(home: House) -> None:
    seen = run("r", "FINISHED", T0 - 2 * HOUR, T0 - HOUR)
    assert record(home, seen).written == 1
    assert record(home, gone=("r",)).written == 1
    assert row(home, "r")[5] == "GONE"
    assert [record(home, seen).written for _ in range(2)] == [1, 0]
    assert row(home, "r")[5] == "FINISHED"
