"""``tags:`` as the program's parts take it: how tag values are cleaned before anything matches them."""

from __future__ import annotations

from collections.abc import Iterable

from alerter.config.problems import did_you_mean, one_of, shown
from alerter.config.settings import TagsSection
from alerter.config.yaml_files import Document
from alerter.core.budgets import UNKNOWN, UNTAGGED, TagCleaning, is_glob
from alerter.core.derivation import placeholder

BUILT_IN = frozenset({"experiment", "experiment_id", "user", "workspace", "source"})
"""Keys that every run has, whoever tags it or doesn't."""

_NO_VALUES = frozenset({UNTAGGED, UNKNOWN})


def read_tags(section: TagsSection, document: Document) -> TagCleaning:
    """Return how tags are cleaned; what is wrong is added to the document's problems."""
    folded = frozenset(section.casefold)
    plain = TagCleaning(section.trim, folded)
    aliases = {key: _aliases(key, names, plain, document) for key, names in section.aliases.items()}
    spelled = TagCleaning(section.trim, folded, aliases)
    known = {
        key: frozenset(spelled.spelled(key, value) for value in values) for key, values in section.known_values.items()
    }
    for key, names in section.aliases.items():
        for value, name in names.items():
            if why := why_unknown(TagCleaning(known=known), key, plain.clean(key, name)):
                document.report(("tags", "aliases", key, value), why)
    for key, patterns in section.derive.items():
        _check_derived(key, patterns, document)
    return TagCleaning(section.trim, folded, aliases, known, dict(section.derive))


def clean_pattern(tags: TagCleaning, key: str, pattern: str) -> str:
    """Return a pattern cleaned as the values are that it shall match; a glob takes no alias."""
    if pattern in _NO_VALUES:
        return pattern
    if is_glob(pattern):
        pattern = pattern.strip() if tags.trim else pattern
        return pattern.casefold() if key in tags.casefold else pattern
    return tags.spelled(key, pattern)


def why_unknown(tags: TagCleaning, key: str, pattern: str) -> str:
    """Return what is wrong with a cleaned pattern that no known value can fit; ``""`` where nothing is."""
    known = tags.known.get(key)
    if known is None or pattern in known or pattern in _NO_VALUES or is_glob(pattern):
        return ""
    hint = did_you_mean(pattern, known) or f"; add it there, or write one of {one_of(sorted(known)[:10])}"
    return f"{key} {shown(pattern)} is none of tags.known_values in alerter.yaml{hint}"


def _aliases(key: str, names: dict[str, str], plain: TagCleaning, document: Document) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for value, name in names.items():
        target = plain.clean(key, name)
        if renamed.setdefault(plain.clean(key, value), target) != target:
            loc = ("tags", "aliases", key, value)
            document.report(loc, f"alias {shown(value)} has two names, once it is cleaned", at_key=True)
    return renamed


def _check_derived(key: str, patterns: Iterable[str], document: Document) -> None:
    loc = ("tags", "derive", key)
    if key in BUILT_IN:
        document.report(loc, f"{shown(key)} is built in and can't be derived", at_key=True)
    for pattern in patterns:
        rest = pattern.replace(placeholder(key), "", 1)
        if rest == pattern or "{" in rest or "}" in rest:
            form = f'"/teams/{placeholder(key)}/*"'
            document.report(loc, f"expected a pattern with {placeholder(key)} in it once, such as {form}")
