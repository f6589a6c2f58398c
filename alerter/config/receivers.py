"""``receivers:`` as the program's parts take them, each checked against the others."""

from __future__ import annotations

from collections.abc import Sequence

from alerter.config.model import CONSOLE, ReceiverConfig
from alerter.config.problems import did_you_mean, one_of, shown
from alerter.config.settings import AlerterFile
from alerter.config.yaml_files import Document, Loc

_SECRETS = ("url_from", "secret")
"""Settings that name a secret."""


def read_receivers(file: AlerterFile, document: Document) -> tuple[ReceiverConfig, ...]:
    """Return the receivers of a file, or the one that prints; what is wrong is added to the document's problems."""
    found: dict[str, ReceiverConfig] = {}
    names = [each.name for each in file.receivers]
    for index, each in enumerate(file.receivers):
        loc = ("receivers", index)
        if each.name in found:
            document.report((*loc, "name"), f"receiver {shown(each.name)} stands twice")
        channels = each.channels()
        if not channels:
            document.report(loc, "a receiver needs a channel: slack: {channel: ...}, email: {to: [...]}, console: {}")
        if "email" in channels and file.email is None:
            document.report((*loc, "email"), "e-mail needs a section `email: {host: ..., from: ...}`", at_key=True)
        if each.fallback == each.name:
            document.report((*loc, "fallback"), "a receiver can't take over from itself: name another one")
        known_receiver(document, (*loc, "fallback"), each.fallback, names)
        found[each.name] = ReceiverConfig(each.name, channels, each.group, each.fallback, each.show_users)
    return tuple(found.values()) or (CONSOLE,)


def known_receiver(document: Document, loc: Loc, name: str | None, known: Sequence[str]) -> str | None:
    """Return the name of a receiver as it is written; an unknown one is a problem."""
    if name is not None and name not in known:
        hint = did_you_mean(name, known) or f"; receivers are {one_of(known)}"
        document.report(loc, f"unknown receiver {shown(name)}{hint}")
    return name


def secret_names(receivers: Sequence[ReceiverConfig]) -> frozenset[str]:
    """Return the names of the secrets that receivers need."""
    settings = [each for receiver in receivers for each in receiver.channels.values()]
    return frozenset(each[key] for each in settings for key in _SECRETS if key in each)
