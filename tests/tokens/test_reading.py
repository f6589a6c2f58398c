"""However often traces are read, in whatever pieces, and however late they come: each is charged once, to the nano."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from csv import DictReader
from dataclasses import asdict, replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from alerter.bootstrap import wire
from alerter.core.money import from_nanos
from alerter.core.traces import TraceBatch, TraceRequest, TraceUse, bucket_of
from alerter.core.usage import Tokens
from alerter.coverage import coverage_lines, measure
from alerter.cycle import run_cycle
from alerter.export import export_csv
from alerter.metrics import Metrics
from alerter.status import budget_status
from alerter.store.engine import Store
from alerter.store.traces import counted
from alerter.verify import verify_ledger
from tests.truth.ledgers import DAY, HOUR, MINUTE, FakeSource, House, config_of, house, run

T0 = 1_795_435_200_000
BUDGETS = """
defaults: {timezone: Asia/Kathmandu, receivers: [console]}
budgets:
  - {name: llm, amount: "100", period: daily, components: [tokens]}
  - {name: machines, amount: "100", period: daily, components: [machines]}
  - {name: all, amount: "100", period: {from: 2001-01-01, to: 2099-01-01}, group_by: [team]}
"""
PRICES = {"gpt-4o-mini": (Decimal("0.15"), Decimal("0.60")), "claude-sonnet-4-5": (Decimal(3), Decimal(15))}
"""USD a million tokens, in and out, from the providers' own pages."""


class TracedSource(FakeSource):
    """A tracking server in memory that has traces; the cursor is how many of its pieces were read."""

    pieces: list[list[TraceUse]]

    def traces(self, request: TraceRequest) -> Iterator[TraceBatch]:
        for number, piece in enumerate(self.pieces):
            known = request.counted([each.trace_id for each in piece]) if number % 2 else ()
            yield TraceBatch([each for each in piece if each.trace_id not in known], f"{number}", 0)


@contextmanager
def traced(migrated: Path, pieces: list[list[TraceUse]], extra: str = "") -> Iterator[House]:
    with TemporaryDirectory() as folder, house(config_of(Path(folder), BUDGETS, alerter=extra), migrated, T0) as made:
        source = TracedSource()
        source.pieces = pieces
        source.put(run("r1", "FINISHED", T0 - 2 * HOUR, T0 - HOUR, tags={"team": "vision"}))
        made.source = source
        made.services = replace(made.services, sources=[source])
        yield made


def trace(number: int, at_ms: int = T0, model: str = "gpt-4o-mini", inside: int = 1000, out: int = 10) -> TraceUse:
    used = Tokens(model, at_ms, inside, out)
    return TraceUse(f"tr-{number}", at_ms, "1", (("experiment", "x"),), (("team", "nlp"),), None, (used,))


uses = st.builds(
    trace,
    st.integers(0, 30),
    st.integers(T0 - 3 * DAY, T0),
    st.sampled_from([*PRICES, "unknown"]),
    st.integers(0, 200_000),  # above, some models cost more
    st.integers(0, 10**6),
)


def nanos_of(use: TraceUse) -> int:
    """What a trace costs by hand: prices a million tokens, in nanos, rounded half to even."""
    given, got = PRICES.get(use.used[0].model, (Decimal(0), Decimal(0)))
    return round((given * use.used[0].input_tokens + got * use.used[0].output_tokens) * 1000)


def total(made: House, sql: str = "SELECT COALESCE(SUM(cost_nanos), 0) FROM charge WHERE meter = 6") -> Any:  # noqa: ANN401
    return made.rows(sql)[0][0]


@settings(max_examples=15)
@given(st.lists(uses, max_size=12, unique_by=lambda each: each.trace_id), st.data())
def test_any_pieces_in_any_order_read_any_number_of_times_cost_the_same(
    migrated_sqlite: Path, traces: list[TraceUse], data: st.DataObject
) -> None:
    pieces = data.draw(st.lists(st.lists(st.sampled_from(traces), max_size=6), max_size=6) if traces else st.just([]))
    pieces.append(traces)
    with traced(migrated_sqlite, pieces) as made:
        for _ in range(data.draw(st.integers(1, 3))):
            assert not made.cycle(T0 + HOUR).failed
        assert total(made) == sum(nanos_of(each) for each in traces)
        by_day = "SELECT COALESCE(SUM(nanos), 0) FROM daily d JOIN budget b ON b.id = d.budget_id WHERE b.name = 'llm'"
        assert total(made, by_day) == total(made)
        with made.services.windows.read() as view:
            assert verify_ledger(view).ok


def test_a_trace_counts_on_its_local_day_where_the_day_begins_at_a_quarter_past(migrated_sqlite: Path) -> None:
    midnight = T0 - T0 % DAY + 18 * HOUR + 15 * MINUTE - DAY  # 00:00 in Kathmandu
    with traced(migrated_sqlite, [[trace(1, midnight - 1), trace(2, midnight, out=0)]]) as made:
        made.cycle(T0 + HOUR)
        days = made.rows(
            "SELECT nanos FROM daily d JOIN budget b ON b.id = d.budget_id WHERE b.name = 'llm' ORDER BY local_day"
        )
    assert [from_nanos(int(str(row[0]))) for row in days] == [Decimal("0.000156"), Decimal("0.00015")]


def test_both_databases_keep_the_same(tmp_path: Path, store: Store) -> None:
    source = TracedSource()
    source.pieces = [[trace(1), trace(2, model="our-llm")], [trace(1), trace(3, T0 - HOUR)]]
    services = replace(wire(config_of(tmp_path, BUDGETS), store, now_ms=T0), sources=[source])
    for _ in range(2):
        assert not run_cycle(services, T0 + HOUR).failed
    with services.windows.read() as view:
        assert verify_ledger(view).ok
        spent = {row.title: row.spent_nanos for row in budget_status(view, T0 + HOUR)}
    assert (spent["llm"], spent["nlp"]) == (312_000, 312_000)


def test_what_was_counted_is_told_and_that_it_goes_on(migrated_sqlite: Path) -> None:
    beats: list[tuple[str, int, int]] = []
    dear = replace(trace(2), logged_cost=Decimal("0.000164"), logged_tokens=1010)  # 0.000156 is within 5 %
    far = replace(trace(3), logged_cost=Decimal("0.000165"), logged_tokens=2020)
    with traced(migrated_sqlite, [[trace(1), dear], [far, trace(4, model="our-llm")]]) as made:
        report = run_cycle(made.services, T0 + HOUR, progress=lambda *at: beats.append(at))
    metrics = Metrics("1")
    (polled,) = report.polls
    metrics.traces_counted(polled.source, asdict(polled.tokens))
    assert asdict(polled.tokens) == {"counted": 4, "unpriced": 1, "cost_differs": 1, "count_differs": 1, "moved": 0}
    assert len(beats) == 3  # one batch of runs, two of traces
    assert 'alerter_traces_total{outcome="cost_differs",source="main"} 1.0' in metrics.render().decode()


def test_components_keep_tokens_and_machines_apart(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[trace(1)]]) as made:
        made.cycle(T0 + HOUR)
        sums = "SELECT b.name, SUM(nanos) FROM daily d JOIN budget b ON b.id = d.budget_id GROUP BY b.name"
        spent: dict[object, Any] = {row[0]: row[1] for row in made.rows(sums)}
        machines = total(made, "SELECT SUM(cost_nanos) FROM charge WHERE meter <> 6")
    assert spent["llm"] == 156_000
    assert spent.get("machines", 0) == machines
    assert spent["all"] == machines + 156_000


def test_a_batch_that_fails_is_charged_by_the_next_poll(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[trace(1)], [trace(2), replace(trace(3), experiment_id=None)]]) as made:  # type: ignore[arg-type]
        with pytest.raises(Exception, match="experiment_id"):
            made.cycle(T0 + HOUR)
        with made.store.read() as connection:
            assert counted(connection, 1, ["tr-1", "tr-2", "tr-3"]) == {"tr-1"}
        assert isinstance(made.source, TracedSource)
        made.source.pieces[1][1] = trace(3)
        made.cycle(T0 + HOUR)
        assert total(made) == 3 * 156_000


def test_without_a_budget_that_asks_no_trace_is_read(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[trace(1)]], "tokens: {enabled: false}\n") as made:
        made.cycle(T0 + HOUR)
        assert made.services.tokens is None
        assert total(made) == 0


def test_tokens_are_in_the_export(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[trace(1), trace(2, model="our-llm")]]) as made:
        made.cycle(T0 + HOUR)
        out = StringIO()
        with made.services.windows.read() as view:
            done = export_csv(view, made.services.pricer, (T0 - DAY, T0 + DAY), T0 + HOUR, out)
        assert done.nanos == total(made, "SELECT SUM(cost_nanos) FROM charge")
        rows = {row["ResourceName"]: row for row in DictReader(StringIO(out.getvalue()))}
        row, unpriced = rows["LLM tokens gpt-4o-mini"], rows["LLM tokens our-llm"]
        used = trace(1).used[0]
        assert (row["ConsumedQuantity"], row["ConsumedUnit"], row["ListUnitPrice"]) == (str(used.total), "Tokens", "")
        assert (row["x_TokensIn"], row["x_TokensOut"]) == (str(used.input_tokens), str(used.output_tokens))
        given, got = PRICES["gpt-4o-mini"]
        assert Decimal(row["EffectiveCost"]) * 10**6 == given * used.input_tokens + got * used.output_tokens
        assert (unpriced["x_TokensIn"], Decimal(unpriced["EffectiveCost"])) == (row["x_TokensIn"], Decimal(0))


def test_parts_of_tokens_sum_to_the_whole(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[trace(1)]]) as made:
        made.cycle(T0 + HOUR)
        (start, end), found = bucket_of(trace(1).at_ms), Counter[str]()
        for window in ((0, start + 7), (start + 7, start + 123_456), (start + 123_456, end)):
            out = StringIO()
            with made.services.windows.read() as view:
                export_csv(view, made.services.pricer, window, T0 + HOUR, out)
            for row in DictReader(StringIO(out.getvalue())):
                if row["ResourceType"] == "LLM":
                    found.update({key: int(row[key]) for key in ("ConsumedQuantity", "x_TokensIn", "x_TokensOut")})
        used = trace(1).used[0]
        assert found == {
            "ConsumedQuantity": used.total,
            "x_TokensIn": used.input_tokens,
            "x_TokensOut": used.output_tokens,
        }


def test_status_names_a_model_without_a_price_and_what_to_do(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[trace(1, model="our-llm")]]) as made:
        made.source.runs.clear()
        made.cycle(T0 + HOUR)
        with made.services.windows.read() as view:
            lines = list(coverage_lines(measure(view, T0 + HOUR)))
    assert lines == [
        "no run time this month",
        "no price: tokens (no price for model our-llm); see `alerter top --unpriced`",
    ]


def test_counted_traces_are_told_by_their_ids(migrated_sqlite: Path) -> None:
    asked: list[Collection[str]] = []

    class Asking(TracedSource):
        def traces(self, request: TraceRequest) -> Iterator[TraceBatch]:
            asked.append(request.counted(["tr-1", "tr-9"]))
            yield from super().traces(request)

    with traced(migrated_sqlite, [[trace(1)]]) as made:
        source = Asking()
        source.pieces = [[trace(1)]]
        made.services = replace(made.services, sources=[source])
        made.cycle(T0 + HOUR)
        made.cycle(T0 + HOUR)
    assert asked == [set(), {"tr-1"}]


def test_a_budget_of_tokens_counts_no_runs(migrated_sqlite: Path) -> None:
    with traced(migrated_sqlite, [[replace(trace(1), source_run="r1")]]) as made:
        made.cycle(T0 + HOUR)
        with made.services.windows.read() as view:
            runs = {row.title: row.runs for row in budget_status(view, T0 + HOUR)}
    assert runs == {"llm": 0, "machines": 1, "nlp": 0, "vision": 1}
