"""Messages as JSON text, so that what was decided is what is sent, whenever that succeeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from alerter.core.alerts import Alert, Digest, DigestBudget, Message, MessageKind, RunEvidence
from alerter.core.budgets import Basis


def encode(message: Message) -> str:
    """Return a message as JSON; lone surrogates, which no database and no service takes, become ``?``."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_values)
    return text.encode("utf-8", "replace").decode("utf-8")


def _values(made: Any) -> dict[str, Any]:
    """Return a dataclass's fields; `dataclasses.asdict` would copy all that is in them."""
    return {name: getattr(made, name) for name in _fields(made)}


def decode(text: str) -> Message:
    """Return a message from its JSON, also one of an earlier or a later version: fields unknown here are left out.

    Raises:
        ValueError: it isn't a message.
    """
    try:
        data = _known(Message, json.loads(text))
        data["kind"] = MessageKind(data["kind"])
        data["alerts"] = tuple(_alert(each) for each in data.get("alerts", ()))
        data["digest"] = _digest(data["digest"]) if data.get("digest") else None
        return Message(**data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a stored message: {error!r}") from error


def _alert(stored: Mapping[str, Any]) -> Alert:
    data = _known(Alert, stored)
    data["scope"] = tuple((key, value) for key, value in data["scope"])
    data["basis"] = Basis(data["basis"])
    data["crossed"] = tuple(data["crossed"])
    data["burn_up"] = tuple((day, nanos) for day, nanos in data.get("burn_up", ()))
    data["top"] = _runs(data.get("top", ()))
    return Alert(**data)


def _digest(stored: Mapping[str, Any]) -> Digest:
    data = _known(Digest, stored)
    for each in ("budgets", "movers"):
        data[each] = tuple(DigestBudget(**_known(DigestBudget, row)) for row in data.get(each, ()))
    for each in ("top", "stale"):
        data[each] = _runs(data.get(each, ()))
    data["missing"] = tuple(data.get("missing", ()))
    return Digest(**data)


def _runs(stored: Iterable[Mapping[str, Any]]) -> tuple[RunEvidence, ...]:
    return tuple(RunEvidence(**_known(RunEvidence, each)) for each in stored)


def _known(
    kind: type[Alert | Digest | DigestBudget | Message | RunEvidence], stored: Mapping[str, Any]
) -> dict[str, Any]:
    return {name: stored[name] for name in _fields(kind) if name in stored}


def _fields(of: Any) -> Iterable[str]:
    """Return the names of a dataclass's fields, of it or of one of its objects."""
    names: Mapping[str, object] = of.__dataclass_fields__
    return names
