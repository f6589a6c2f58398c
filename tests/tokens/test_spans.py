"""Which tokens a trace's spans tell of."""

from __future__ import annotations

from typing import Any

import pytest

from alerter.sources.mlflow_rest.spans import tokens_of

T0 = 1_795_435_200_000


def span(name: str, parent: str, usage: dict[str, int] | None, model: str = "", **more: str) -> dict[str, Any]:
    attributes = [{"key": key, "value": {"string_value": value}} for key, value in more.items()]
    if usage is not None:
        values = [{"key": key, "value": {"int_value": str(value)}} for key, value in usage.items()]
        attributes.append({"key": "mlflow.chat.tokenUsage", "value": {"kvlist_value": {"values": values}}})
    if model:
        attributes.append({"key": "mlflow.llm.model", "value": {"string_value": model}})
    return {"span_id": name, "parent_span_id": parent, "attributes": attributes}


CALL = {"input_tokens": 10, "output_tokens": 2}


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        pytest.param([span("a", "", CALL, "m")], [("m", 10, 2)], id="one"),
        pytest.param(
            [span("a", "", {"input_tokens": 20}), span("b", "a", CALL, "m"), span("c", "a", CALL, "n")],
            [("m", 10, 2), ("n", 10, 2)],
            id="a sum above calls of two models",
        ),
        pytest.param([span("a", "", CALL, "m"), span("b", "a", CALL, "m")], [("m", 10, 2)], id="the same call twice"),
        pytest.param([span("a", "", CALL), span("b", "a", CALL)], [("", 10, 2)], id="no model anywhere"),
        pytest.param([span("a", "", CALL), span("b", "a", None, "m")], [("m", 10, 2)], id="model on another span"),
        pytest.param([span("a", "gone", CALL, "m")], [("m", 10, 2)], id="its parent is missing"),
        pytest.param([span("a", "a", CALL, "m")], [("m", 10, 2)], id="its own parent"),
        pytest.param([span("", "", CALL, "m"), span("a", "", CALL, "m")], [("m", 10, 2)], id="one without an id"),
        pytest.param(
            [span("a", "", None), span("b", "a", CALL, "m"), span("a", "b", CALL, "m")],
            [],
            id="an id twice, below itself",
        ),
        pytest.param([span("a", "", {"input_tokens": -5}, "m")], [], id="nothing readable"),
        pytest.param([], [], id="no span"),
    ],
)
def test_every_llm_call_counts_once(spans: list[dict[str, Any]], found: list[tuple[str, int, int]]) -> None:
    tokens = tokens_of(spans, T0)
    assert sorted((each.model, each.input_tokens, each.output_tokens) for each in tokens) == found


def test_cached_tokens_are_part_of_the_input_whichever_way_a_client_counts() -> None:
    usage = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1}
    (openai,) = tokens_of([span("a", "", usage, "m")], T0)
    (anthropic,) = tokens_of([span("a", "", usage, "m", **{"mlflow.message.format": "anthropic"})], T0)
    (apart,) = tokens_of([span("a", "", usage | {"cache_read_input_tokens": 90}, "m")], T0)
    assert (openai.input_tokens, anthropic.input_tokens, apart.input_tokens) == (10, 15, 101)


def test_text_that_no_database_keeps_is_made_harmless() -> None:
    (found,) = tokens_of([span("a", "", CALL, "evil\0\ud800 model\n")], T0)
    assert found.model == "evil\ufffd? model"


def test_a_trace_thousands_of_spans_deep_is_read() -> None:
    deep = [span(f"{depth}", f"{depth - 1}", CALL if depth == 4999 else None, "m") for depth in range(5000)]
    assert [each.model for each in tokens_of(deep, T0)] == ["m"]
