"""What is held is charged to the nano, whatever happens to it: against an oracle that adds up each byte's own time."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st

from alerter.bootstrap import wire
from alerter.core.periods import utc
from alerter.core.storage import Artifacts, ModelSeen
from alerter.cycle import run_cycle
from alerter.explain import explain
from alerter.export import export_csv
from alerter.status import budget_status, status_json
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.storage.memory import BUDGETS, GIB, PRICES, T0, Shelves, ended, nanos, shelved, shelves, spent
from tests.truth.ledgers import DAY, HOUR, MINUTE, config_of, run

Changes = list[tuple[int, int]]
"""When a level changed, and to how many bytes."""

LINES = (
    "SELECT c.start_ms, c.end_ms, c.cost_nanos FROM charge c JOIN tag_set t ON t.id = c.tag_set_id "
    "WHERE c.meter = 5 AND t.tags LIKE '%{team}%' ORDER BY c.start_ms"
)

steps = st.lists(
    st.tuples(
        st.integers(5, 40 * HOUR // MINUTE),
        st.dictionaries(
            st.sampled_from(["r1", "r2", "r3", "m1"]),
            st.one_of(
                st.tuples(st.just("holds"), st.integers(0, 3 * GIB)),
                st.tuples(st.just("tags"), st.sampled_from(["vision", "nlp"])),
                st.tuples(st.just("gone"), st.just(0)),
            ),
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25)
@given(steps)
def test_any_history_of_levels_costs_what_each_level_costs(
    migrated_sqlite: Path, history: list[tuple[int, dict[str, tuple[str, Any]]]]
) -> None:
    """One end a poll makes a run's files be listed again; what is gone is noticed when it is looked for."""
    changes: dict[str, Changes] = {"vision": [(T0, 0)], "nlp": [(T0, 0)]}
    held: dict[str, tuple[str, int]] = {}
    with shelved(migrated_sqlite, "poll: {resweep: 1s}\n") as made:
        source, at_ms = shelves(made), T0
        made.cycle(at_ms)
        for minutes, events in history:
            at_ms += minutes * MINUTE
            for key, (what, value) in events.items():
                team, size = held.get(key, ("vision", 0))
                if what == "gone":
                    held.pop(key, None)
                    source.runs.pop(key, None)
                    source.logged.pop(key, None)
                    continue
                held[key] = (value, size) if what == "tags" else (team, value)
                source.held[key] = held[key][1]
                tags = (("experiment", "hpo"), ("team", held[key][0]))
                if key == "m1":
                    source.logged[key] = ModelSeen(Artifacts("", key), "1", tags, at_ms)
                else:
                    source.put(ended(key, held[key][0], at_ms - MINUTE))
            made.cycle(at_ms)
            for team, known in changes.items():
                after = sum(size for owner, size in held.values() if owner == team)
                if after != known[-1][1]:
                    known.append((at_ms, after))
        found = spent(made, at_ms)
        for team, known in changes.items():
            assert found.get(team, 0) == cost(known, made.rows(LINES.format(team=team)), at_ms)


def cost(changes: Changes, lines: list[tuple[Any, ...]], at_ms: int) -> int:
    """What a level has cost; its charges leave no time out; each is of one level on one day, rounded for itself."""
    spans = [*pairwise(when for when, _ in changes), (changes[-1][0], at_ms)]
    held = [(since, until, size) for (since, until), (_, size) in zip(spans, changes, strict=True) if size]
    for start, end, nano in lines:
        (size,) = (size for since, until, size in held if since <= start < end <= until)
        assert nano == nanos(size, end - start)
        assert start // DAY == (end - 1) // DAY
    since = max([changes[-1][0], *(end for _, end, _ in lines)])
    assert sum(end - start for start, end, _ in lines) == sum(max(min(end, since) - start, 0) for start, end, _ in held)
    return sum(int(nano) for *_, nano in lines) + nanos(changes[-1][1], at_ms - since)


def test_a_quiet_day_has_one_charge_and_a_quiet_cycle_writes_and_asks_nothing(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.held = {"r1": GIB, "r2": GIB}
        source.put(ended("r1"), ended("r2"))
        made.cycle(T0)
        assert source.asked == ["r1", "r2"]
        before = made.everything()
        for minute in range(1, 30):
            made.cycle(T0 + minute * MINUTE)
        assert made.everything() == before
        assert source.asked == ["r1", "r2"]
        for hour in range(1, 74):
            if hour % 7 == 0:
                made.restart(T0 + hour * HOUR)
            made.cycle(T0 + hour * HOUR + MINUTE)
        rows = made.rows("SELECT start_ms, end_ms, quantity, cost_nanos FROM charge WHERE meter = 5 ORDER BY start_ms")
    assert rows == [(T0 + day * DAY, T0 + (day + 1) * DAY, 2_000_000, 4_800_000_000) for day in range(3)]


def test_bytes_move_with_their_runs_tags_and_those_of_its_models(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.held = {"r1": GIB, "m1": GIB}
        source.put(ended("r1"))
        source.logged["m1"] = ModelSeen(Artifacts("r1", "m1"), "1", (("team", "other"),), T0 - HOUR)
        made.cycle(T0)
        source.put(ended("r1", "nlp"))
        made.cycle(T0 + HOUR)
        assert source.asked == ["r1", "m1"]
        made.cycle(T0 + 2 * HOUR)
        found = spent(made, T0 + 2 * HOUR)
    assert found == {"artifacts": 400_000_000, "vision": 200_000_000, "nlp": 200_000_000}


def test_a_new_price_holds_from_the_last_poll_on_and_dated_discounts_from_midnight(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.put(ended("r1"))
        source.held = {"r1": GIB}
        made.cycle(T0)
        made.cycle(T0 + HOUR)
        discount = (
            f'multipliers: [{{match: {{tag.team: vision}}, factor: "0.5", effective_from: {utc(T0 + DAY).date()}}}]\n'
        )
        made.restart(T0 + HOUR, config_of(made.config.directory, BUDGETS, PRICES.replace("73", "146") + discount))
        made.cycle(T0 + 3 * HOUR)
        made.cycle(T0 + DAY + HOUR)
        assert spent(made, T0 + DAY + HOUR)["artifacts"] == 100_000_000 + 23 * 200_000_000 + 100_000_000
        rules = made.rows("SELECT DISTINCT rule FROM rate WHERE meter = 'storage' ORDER BY rule")
    assert rules == [("storage per_gib_month",), ("storage per_gib_month x 0.5",)]


def test_it_stands_in_the_ledgers_export_and_explanation(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.put(ended("r1"))
        source.held = {"r1": 730 * GIB}
        made.cycle(T0)
        made.cycle(T0 + DAY + HOUR)
        with made.services.windows.read() as view:
            out = StringIO()
            exported = export_csv(view, made.services.pricer, (0, 2**62), T0 + DAY + HOUR, out)
            found = explain(view, "Storage of hpo (team vision)", T0 + DAY + HOUR)
        assert exported.nanos == spent(made, T0 + DAY + HOUR)["artifacts"]
    assert "GiB-Months" in out.getvalue()
    assert "Storage of hpo (team vision),MLflow Artifacts,Storage," in out.getvalue()
    assert '"Storage of hpo (team vision), estimated: storage per_gib_month"' in out.getvalue()
    assert [(line["quantity"], line["settled"]) for line in found["charges"]] == [
        ("24", True),
        ("1", False),
    ]


def test_both_databases_keep_the_same(tmp_path: Path, store: Store) -> None:
    source = Shelves()
    source.put(ended("r1"), ended("r2", "nlp"))
    source.held = {"r1": GIB, "r2": 2 * GIB, "m1": GIB}
    source.logged["m1"] = ModelSeen(Artifacts("", "m1"), "1", (("team", "nlp"),), T0 - HOUR)
    services = replace(wire(config_of(tmp_path, BUDGETS, PRICES), store, now_ms=T0), sources=[source])
    for at_ms in (T0, T0 + HOUR, T0 + DAY):
        assert not run_cycle(services, at_ms).failed
        source.runs.pop("r1", None)
    with services.windows.read() as view:
        assert verify_ledger(view).ok
        total = {row.title: row.spent_nanos for row in budget_status(view, T0 + DAY)}
    assert total["nlp"] == nanos(3 * GIB, DAY)


def test_status_tells_what_each_scope_spent_on_what(migrated_sqlite: Path) -> None:
    daily = BUDGETS.replace("period: {from: 2001-01-01, to: 2099-01-01}", "period: daily")
    machine = 'prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1"}]\n'
    with shelved(migrated_sqlite, prices=PRICES + machine, budgets=daily) as made:
        source, at_ms = shelves(made), T0 + 30 * HOUR
        source.put(ended("r1"))
        source.held = {"r1": GIB}
        made.cycle(T0)
        source.put(run("r2", "RUNNING", T0 + DAY, tags={"team": "vision", "experiment": "hpo"}))
        made.cycle(at_ms)
        with made.services.windows.read() as view:
            found = {row["budget"]: row["components"] for row in status_json(view, at_ms)["budgets"]}
            words = {row.budget: row.component_words() for row in budget_status(view, at_ms)}
    # The local day began at 18:15 UTC: 11.75 hours of storage, and six of a machine.
    assert found["artifacts"] == {"machines": "0.00", "storage": "1.175", "tokens": "0.00"}
    assert found["machines"] == {"machines": "6.00", "storage": "0.00", "tokens": "0.00"}
    assert found["all"] == {"machines": "6.00", "storage": "1.175", "tokens": "0.00"}
    assert words == {"artifacts": "storage $1.18", "machines": "", "all": "machines $6.00 · storage $1.18"}
