"""Whatever a client wrote, an observation comes of it, and a cursor of whatever text was kept."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from alerter.core.usage import RunObservation, RunStatus
from alerter.sources.mlflow_rest.cursor import START, Cursor, Position, parse
from alerter.sources.mlflow_rest.decoding import BUILT_IN, MAX_TAGS, MAX_USAGE_VALUE, Decoder
from alerter.sources.mlflow_rest.observing import MAX_TAG_VALUE
from tests.sources.poller import HOUR, NOW
from tests.sources.scripted import run_row


def decoded(*, tags: dict[str, str] | None = None, params: dict[str, str] | None = None, **info: Any) -> RunObservation:  # noqa: ANN401
    decoder = Decoder(source="main", workspace="default", usage_keys=frozenset({"instance_type"}))
    decoder.use({"1": {"experiment_id": "1", "name": "one", "tags": [{"key": "team", "value": "vision"}]}})
    row = run_row(1, start_ms=NOW, **info)
    row["data"] = {
        "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()],
        "params": [{"key": key, "value": value} for key, value in (params or {}).items()],
    }
    (run,) = decoder.decode([row], NOW + HOUR)
    return run


def test_a_run_without_a_start_is_not_charged_from_1970_on() -> None:
    assert decoded(start_time=0).start_ms == NOW + 1000
    assert decoded(start_time=None, end_time=None, status="RUNNING").start_ms == NOW + HOUR
    assert decoded(start_time=-5).start_ms == NOW + 1000


def test_what_is_missing_is_looked_up_in_mlflows_tags() -> None:
    run = decoded(user_id=None, run_name=None, tags={"mlflow.user": "bob", "mlflow.runName": "trial"})
    assert (run.user, run.name) == ("bob", "trial")
    assert decoded(user_id=None).user == ""
    assert dict(decoded(user_id=None).tags)["user"] == ""


def test_an_unknown_status_is_judged_by_the_end() -> None:
    assert decoded(status="PAUSED").status is RunStatus.FINISHED
    assert decoded(status=None, end_time=None).status is RunStatus.RUNNING


def test_a_run_is_not_its_own_parent() -> None:
    assert decoded(tags={"mlflow.parentRunId": f"{1:032x}"}).parent_uuid is None


def test_tags_and_usage_are_bounded() -> None:
    many = {f"tag-{number:03}": "x" * 6000 for number in range(200)} | {"k" * 251: "too long a key"}
    run = decoded(tags=many, params={"instance_type": "y" * 6000})
    assert len(run.tags) == MAX_TAGS + len(BUILT_IN)
    assert {len(value) for key, value in run.tags if key.startswith("tag-")} == {MAX_TAG_VALUE}
    assert run.usage == (("instance_type", "y" * MAX_USAGE_VALUE),)


def test_the_tags_that_budgets_name_are_kept_however_many_there_are() -> None:
    decoder = Decoder(source="main", workspace="", usage_keys=frozenset(), tag_keys=frozenset({"zone", "team", "no"}))
    decoder.use({"1": {"name": "one", "tags": [{"key": "team", "value": "vision"}]}})
    many = {f"arg-{number:03}": "x" for number in range(200)} | {"zone": "eu"}
    kept = dict(decoder.tags_of("1", "ann", many.items()))
    assert (kept["team"], kept["zone"], len(kept)) == ("vision", "eu", MAX_TAGS + len(BUILT_IN))
    assert dict(decoder.own_tags(many.items()))["zone"] == "eu"


def test_a_clusters_json_is_not_cut() -> None:
    info = json.dumps({"node_type_id": "i3.xlarge", "note": "z" * 1000})
    assert dict(decoded(tags={"mlflow.databricks.cluster.info": info}).usage) == {
        "mlflow.databricks.cluster.info": info
    }


def test_a_changed_experiment_tag_is_not_remembered() -> None:
    decoder = Decoder(source="main", workspace="default", usage_keys=frozenset())
    for team in ("vision", "nlp"):
        decoder.use({"1": {"name": "one", "tags": [{"key": "team", "value": team}]}})
        (run,) = decoder.decode([run_row(1, start_ms=NOW)], NOW)
        assert dict(run.tags)["team"] == team


@given(st.dictionaries(st.text(st.characters(), min_size=1), st.text(st.characters())))
def test_any_text_comes_out_storable(tags: dict[str, str]) -> None:
    run = decoded(tags=tags, user_id="\ud800", run_name="a\0b")
    for text in (run.name, run.user, *(part for pair in run.tags for part in pair)):
        assert "\0" not in text
        assert text.encode("utf-8").decode("utf-8") == text


@given(
    st.builds(
        Cursor,
        settings=st.text(),
        sweep=st.none() | st.builds(Position, at_ms=st.none() | st.integers(), token=st.text()),
        since_ms=st.integers(),
    )
)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert parse(cursor.text(), cursor.settings) == cursor


@pytest.mark.parametrize("text", ["junk", "[]", '{"v": 99}', '{"v": 1, "settings": "s"}', "null", '{"v":1,"new":2}'])
def test_an_unknown_cursor_sweeps_anew(text: str) -> None:
    assert parse(text, "s") == Cursor("s", sweep=START)


def test_a_runs_own_cost_is_read_at_full_precision_and_apart_from_its_usage() -> None:
    keys = frozenset({"metric.cost_usd", "tag.cost_usd", "tag.bill"})
    decoder = Decoder(source="main", workspace="default", usage_keys=frozenset({"cost_usd"}), cost_keys=keys)
    row = run_row(1, start_ms=NOW)
    row["data"] = {
        "metrics": [{"key": "cost_usd", "value": 12.345678901234567, "timestamp": NOW}, {"key": "loss", "value": 1}],
        "tags": [{"key": "cost_usd", "value": "-3"}, {"key": "bill", "value": "7.10"}],
        "params": [{"key": "bill", "value": "99"}],
    }
    (run,) = decoder.decode([row], NOW + HOUR)
    assert run.costs == (("metric.cost_usd", "12.345678901234567"), ("tag.bill", "7.10"))
    assert run.usage == (("cost_usd", "-3"), ("logged_cost.tag.cost_usd", "-3"))
    row["data"]["metrics"] = [{"key": "cost_usd", "value": "NaN"}, {"value": 3}, {"key": "cost_usd", "value": None}]
    (run,) = decoder.decode([row], NOW + HOUR)
    assert run.costs == (("tag.bill", "7.10"),)
