"""Tags that change after tokens were counted, of a trace, its run or its experiment: the tokens follow."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings, strategies as st
from mlflow import MlflowClient

from alerter.core.traces import TraceBatch, TraceRequest, TraceUse
from alerter.core.usage import Tokens
from alerter.status import budget_status
from alerter.store.bulk import query
from alerter.verify import verify_ledger
from tests.tokens.traced import Traced
from tests.truth.ledgers import HOUR, MINUTE, FakeSource, House, config_of, house, run

T0 = 1_795_435_200_000
BUDGETS = """
defaults: {timezone: UTC, receivers: [console]}
budgets: [{name: teams, group_by: [team], amount: "100", period: monthly, components: [tokens]}]
"""
PRICES = """
catalogs: []
tokens:
  - {model: "m*", per_million_input: "1", per_million_output: "1"}
multipliers:
  - {match: {"tag.team": research}, factor: "0.82", reason: enterprise discount, effective_from: 2026-01-01}
"""


@dataclass
class Tracing(FakeSource):
    """A tracking server in memory whose traces are all read again in every poll."""

    held: dict[str, TraceUse] = field(default_factory=dict)

    def traces(self, request: TraceRequest) -> Iterator[TraceBatch]:
        known = set(request.counted(list(self.held)))
        fresh = [each for key, each in self.held.items() if key not in known]
        again = [replace(each, used=()) for key, each in self.held.items() if key in known]
        yield TraceBatch(fresh, "", 0, again=again)

    def log(self, number: int, model: str, tokens: int, team: str | None, source_run: str | None) -> None:
        at_ms = T0 - number * 7 * MINUTE
        own = (("request", str(number)), *((("team", team),) if team else ()))
        used = (Tokens(model, at_ms, tokens, 0),)
        base = (("experiment", "x"), ("team", "platform"))
        self.held[f"tr-{number}"] = TraceUse(f"tr-{number}", at_ms, "1", base, own, source_run, used)


def spent(made: House) -> dict[str, int]:
    with made.services.windows.read() as view:
        assert verify_ledger(view).ok
        return {row.title: row.spent_nanos for row in budget_status(view, T0 + HOUR) if row.spent_nanos}


def counted(made: House) -> int:
    """How many tokens the charges are for, all of them input; at a dollar a million their cost tells it, too."""
    sums = (
        "SELECT SUM(c.quantity), SUM(t.fresh), COUNT(*), COUNT(t.fresh) FROM charge c LEFT JOIN token_count t "
        "ON t.run_id = c.run_id AND t.start_ms = c.start_ms AND t.revision = c.revision WHERE c.meter = 6 "
        "GROUP BY c.run_id, c.start_ms, c.tag_set_id, c.rate_id"
    )
    found = 0
    for nanos, tokens, charges, told in made.rows(sums):
        assert isinstance(nanos, int)
        assert isinstance(tokens, int)
        assert (nanos, charges) == (tokens * 1000, told)
        found += tokens
    return found


TEAMS = st.sampled_from([None, "a", "b", "research"])
RUNS = st.sampled_from([None, "r1", "r2"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(0, 5), st.sampled_from(["m1", "m2"]), st.integers(1, 9), TEAMS, RUNS),
        st.tuples(st.just("edit"), st.integers(0, 5), TEAMS),
        st.tuples(st.just("run"), st.sampled_from(["r1", "r2"]), TEAMS),
        st.tuples(st.just("experiment"), TEAMS),
    ),
    max_size=14,
)


def happen(source: Tracing, step: tuple[object, ...]) -> None:
    kind, *rest = step
    if kind == "run":
        name, team = rest
        tags = {"experiment": "x", "team": str(team) if team else "platform"}
        source.put(run(str(name), "FINISHED", T0 - HOUR, T0, tags=tags))
        return
    if kind == "experiment":
        base = (("experiment", "x"), ("team", str(rest[0] or "platform")))
        source.held = {key: replace(each, tags=base) for key, each in source.held.items()}
        return
    key = f"tr-{rest[0]}"
    if kind == "log" and key not in source.held:
        _, model, tokens, team, source_run = rest
        assert isinstance(rest[0], int)
        assert isinstance(tokens, int)
        source.log(rest[0], str(model), tokens, str(team) if team else None, str(source_run) if source_run else None)
    elif kind == "edit" and key in source.held:
        own = (("request", "another"), *((("team", str(rest[1])),) if rest[1] else ()))
        source.held[key] = replace(source.held[key], own=own)


@settings(max_examples=25)
@given(steps)
def test_whatever_is_tagged_anew_every_team_has_its_tokens(
    migrated_sqlite: Path, happened: list[tuple[object, ...]]
) -> None:
    with TemporaryDirectory() as folder, house(config_of(Path(folder), BUDGETS, PRICES), migrated_sqlite, T0) as made:
        source = Tracing()
        made.services = replace(made.services, sources=[source])
        factors: dict[str, bool] = {}
        for step in [*happened, ("edit", 99, None)]:
            happen(source, step)
            assert not made.cycle(T0 + HOUR).failed
            for key, each in source.held.items():
                factors.setdefault(key, team_of(source, each) == "research")
        expected: Counter[str] = Counter()
        for key, each in source.held.items():
            nanos = each.used[0].input_tokens * 1000
            # A rate once applied is kept: the discount is that of the team for which it was counted.
            expected[team_of(source, each)] += nanos * 82 // 100 if factors[key] else nanos
        assert spent(made) == dict(expected)
        assert counted(made) == sum(each.used[0].input_tokens for each in source.held.values())
        before = made.everything()
        made.cycle(T0 + HOUR)
        assert made.everything() == before


def test_what_an_earlier_version_counted_moves_without_a_number(migrated_sqlite: Path, tmp_path: Path) -> None:
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0) as made:
        source = Tracing()
        made.services = replace(made.services, sources=[source])
        source.log(1, "m1", 5, "a", None)
        made.cycle(T0 + HOUR)
        with made.store.write() as connection:
            query(connection, "DELETE FROM token_count")
            ((text,),) = query(connection, "SELECT lines FROM counted_trace").all()
            query(connection, "UPDATE counted_trace SET lines = ?", json.dumps([each[:5] for each in json.loads(text)]))
        source.log(2, "m1", 7, "a", None)
        made.cycle(T0 + HOUR)
        assert made.rows("SELECT fresh FROM token_count") == [(7,)]
        happen(source, ("edit", 1, "b"))
        made.cycle(T0 + HOUR)
        assert spent(made) == {"a": 7000, "b": 5000}
        # Of a sum of which one part isn't known neither is the rest.
        assert made.rows("SELECT fresh FROM token_count ORDER BY 1") == [(-7,), (7,)]


def team_of(source: Tracing, trace: TraceUse) -> str:
    """Whose tokens they are: the trace's word, else its run's, else its experiment's."""
    known = source.runs.get(trace.source_run or "")
    return dict(trace.own).get("team") or dict(known.tags if known else trace.tags)["team"]


def test_an_edited_trace_tag_moves_its_tokens(traced: Traced) -> None:
    first = traced.call("gpt-4o-mini", 1_000_000, 0, team="nlp")
    traced.call("gpt-4o-mini", 2_000_000, 0, team="nlp")
    traced.cycle()
    client = MlflowClient(traced.server.uri)
    client.set_trace_tag(first, "team", "speech")
    client.set_trace_tag(first, "reviewed", "yes")
    assert traced.cycle().polls[0].tokens.moved == 1
    assert traced.spent() == {"llm": "0.45", "nlp": "0.30", "speech": "0.15"}
    client.delete_trace_tag(first, "team")
    traced.cycle()
    assert traced.spent() == {"llm": "0.45", "nlp": "0.30", "platform": "0.15"}
    assert traced.cycle().polls[0].tokens.moved == 0


def test_the_tokens_of_a_run_follow_its_tags(traced: Traced) -> None:
    traced.call("gpt-4o-mini", 1_000_000, 0, run=True)
    traced.call("gpt-4o-mini", 2_000_000, 0, run=True, team="nlp")
    traced.cycle()
    client = MlflowClient(traced.server.uri)
    for each in client.search_runs([traced.experiment]):
        client.set_tag(each.info.run_id, "team", "speech")
    traced.cycle()
    assert traced.spent() == {"llm": "0.45", "nlp": "0.30", "speech": "0.15"}


def test_the_tokens_of_an_experiment_follow_its_tags(traced: Traced) -> None:
    traced.call("gpt-4o-mini", 1_000_000, 0)
    traced.cycle()
    MlflowClient(traced.server.uri).set_experiment_tag(traced.experiment, "team", "infra")
    traced.cycle()
    assert traced.spent() == {"llm": "0.15", "infra": "0.15"}
    (reversal,) = [
        each for each in traced.explained("LLM tokens gpt-4o-mini")["charges"] if each["cost"].startswith("-")
    ]
    assert reversal["correction"] == "tags changed"


def test_deleted_traces_keep_their_cost(traced: Traced) -> None:
    trace = traced.call("gpt-4o-mini", 1_000_000, 0)
    traced.cycle()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MlflowClient(traced.server.uri).delete_traces(traced.experiment, trace_ids=[trace])
    traced.cycle()
    assert traced.spent() == {"llm": "0.15", "platform": "0.15"}


def test_multipliers_of_tags_hold_for_tokens(migrated_sqlite: Path, tmp_path: Path) -> None:
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0) as made:
        source = Tracing()
        source.log(1, "m1", 1_000_000, "research", None)
        made.services = replace(made.services, sources=[source])
        made.cycle(T0 + HOUR)
        assert spent(made) == {"research": 820_000_000}
        ((price, listed, rule),) = made.rows("SELECT unit_price, list_unit_price, rule FROM rate")
    assert (price, listed) == ("0.82", "1")
    assert str(rule).endswith("x 0.82 (enterprise discount)")
