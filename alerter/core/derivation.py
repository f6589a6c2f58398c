"""Tags that a run's experiment implies by its name: ``/teams/{team}/*`` of ``/teams/vision/resnet`` is vision."""

from __future__ import annotations

import re
from functools import lru_cache

_WILD = {"*": ".*", "?": "."}


def placeholder(key: str) -> str:
    """Return what stands in a pattern for a tag's value."""
    return "{" + key + "}"


def derived(key: str, patterns: tuple[str, ...], experiment: str) -> str | None:
    """Return the value of a tag by the first pattern that an experiment's name fits; None where none does.

    ``*`` and ``?`` stand for anything, the placeholder for as little as fits, and never for a ``/``.
    """
    for pattern in patterns:
        found = _compiled(key, pattern).fullmatch(experiment)
        if found is not None:
            return found[1]
    return None


@lru_cache(maxsize=1024)
def _compiled(key: str, pattern: str) -> re.Pattern[str]:
    before, _, after = pattern.partition(placeholder(key))
    return re.compile(f"{_literal(before)}([^/]+?){_literal(after)}", re.DOTALL)


def _literal(text: str) -> str:
    return "".join(_WILD.get(sign) or re.escape(sign) for sign in text)
