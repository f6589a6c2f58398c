"""The spans of a trace -> the tokens of each model, every LLM call counted once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerter.core.usage import Tokens
from alerter.sources.mlflow_rest.observing import plain
from alerter.sources.mlflow_rest.tracking import Row

USAGE = "mlflow.chat.tokenUsage"
MODEL = "mlflow.llm.model"
PROVIDER = "mlflow.llm.provider"
FORMAT = "mlflow.message.format"
TIERS = ("gen_ai.openai.response.service_tier", "gen_ai.response.service_tier", "openai.response.service_tier")

_ATTRIBUTES = frozenset({USAGE, MODEL, PROVIDER, FORMAT, *TIERS})

WITHOUT_CACHE = frozenset({"anthropic", "bedrock"})
"""Clients of these log ``input_tokens`` without those from and into the cache; all others include them."""

MOST_TOKENS = 10**10
"""More than one call can use: a mistake."""


@dataclass(frozen=True, slots=True)
class _Span:
    id: str
    parent: str
    usage: Mapping[str, Any] | None
    model: str
    attributes: Mapping[str, Any]


def tokens_of(spans: Sequence[Row], at_ms: int) -> tuple[Tokens, ...]:
    """Return the tokens of a trace's spans.

    Frameworks write the sum of their calls on the spans above them: the topmost span that names both its usage and its
    model counts, else the topmost that has usage at all.
    """
    # Each id once, and none that is empty: what is walked over below must be a tree.
    found = {each.id: each for each in map(_span, spans) if each.id}
    children: dict[str, list[_Span]] = defaultdict(list)
    for each in found.values():
        children[each.parent if each.parent in found and each.parent != each.id else ""].append(each)
    models = {each.model for each in found.values() if each.model}
    only = models.pop() if len(models) == 1 else ""
    return tuple(_tokens(each, each.model or only, at_ms) for each in _counting(children))


def from_json(content: object) -> Row:
    """Return a span as REST writes it, from the JSON in which MLflow keeps one, of what tells its tokens.

    That is so in its database and in the files that clients before 3.4 upload; those before 3.0 write the ids apart.
    """
    span, context, attributes = _object(content), _object(content, "context"), _object(content, "attributes")
    return {
        "span_id": span.get("span_id") or context.get("span_id") or "",
        "parent_span_id": span.get("parent_span_id") or span.get("parent_id") or "",
        "attributes": [
            # MLflow keeps each attribute as JSON text.
            {"key": key, "value": {"string_value": value if isinstance(value, str) else json.dumps(value)}}
            for key, value in attributes.items()
            if key in _ATTRIBUTES
        ],
    }


def whole(usage: Mapping[str, Any], at_ms: int) -> Tokens:
    """Return the tokens that a trace's own summary names, of which nothing tells the model."""
    return _tokens(_Span("", "", usage, "", {}), "", at_ms)


def _counting(children: Mapping[str, Sequence[_Span]]) -> Iterator[_Span]:
    """Yield the spans that count, without recursion: a trace may be thousands of spans deep."""
    order, stack = [], list(children.get("", ()))
    while stack:
        span = stack.pop()
        order.append(span)
        stack.extend(children.get(span.id, ()))
    priced_below: dict[str, bool] = {}
    for span in reversed(order):  # children before their parents
        below = any(priced_below[each.id] for each in children.get(span.id, ()))
        priced_below[span.id] = below or (span.usage is not None and bool(span.model))
    stack = list(children.get("", ()))
    while stack:
        span = stack.pop()
        below = any(priced_below[each.id] for each in children.get(span.id, ()))
        if span.usage is not None and (span.model or not below):
            yield span
        else:
            stack.extend(children.get(span.id, ()))


def _span(row: Row) -> _Span:
    attributes = {str(each.get("key")): _value(each.get("value")) for each in row.get("attributes") or ()}
    usage = attributes.get(USAGE)
    has_usage = isinstance(usage, dict) and any(_count(value) for value in usage.values())
    model = attributes.get(MODEL)
    return _Span(
        str(row.get("span_id") or ""),
        str(row.get("parent_span_id") or ""),
        usage if has_usage else None,
        plain(" ".join(model.split()), 200) if isinstance(model, str) else "",
        attributes,
    )


def _tokens(span: _Span, model: str, at_ms: int) -> Tokens:
    usage = span.usage or {}
    read, written = _count(usage.get("cache_read_input_tokens")), _count(usage.get("cache_creation_input_tokens"))
    given = _count(usage.get("input_tokens"))
    apart = span.attributes.get(FORMAT) in WITHOUT_CACHE or read + written > given
    return Tokens(
        model=model,
        at_ms=at_ms,
        input_tokens=given + read + written if apart else given,
        output_tokens=_count(usage.get("output_tokens")),
        cached_input_tokens=read,
        cache_write_tokens=written,
        provider=_word(span.attributes.get(PROVIDER)),
        tier=next((word for key in TIERS if (word := _word(span.attributes.get(key)))), ""),
    )


def _object(content: object, key: str = "") -> dict[str, Any]:
    """Return a JSON object, or the one below a key; an empty one for anything else."""
    found = content.get(key) if key and isinstance(content, dict) else content
    return found if isinstance(found, dict) else {}


def _word(value: object) -> str:
    return plain(value.strip().lower(), 60) if isinstance(value, str) else ""


def _count(value: object) -> int:
    """Return a number of tokens; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        count = int(value)
    except (ValueError, OverflowError):
        return 0
    return count if 0 <= count <= MOST_TOKENS else 0


def _value(value: Any) -> Any:  # noqa: ANN401 - OpenTelemetry's AnyValue
    """Return an attribute's value; MLflow writes some of them as JSON text."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, held),) = value.items()
    if kind == "kvlist_value":
        return {str(each.get("key")): _value(each.get("value")) for each in (held or {}).get("values") or ()}
    if kind == "int_value":
        return int(held)
    if kind == "string_value" and held[:1] in {"{", '"'}:
        try:
            return json.loads(held)
        except ValueError:
            return held
    return held if kind in {"string_value", "double_value", "bool_value"} else None
