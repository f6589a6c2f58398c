"""The grammar of ``/budget``: text in, a command or an explanation out. Pure; nothing here raises.

::

    /budget [status [NAME] | list [over PCT] | ack ID|NAME [until WHEN] [-- NOTE] | unack ID|NAME
             | snooze ID|NAME WHEN [-- NOTE] | top [N] [NAME] | explain ID|RUN | help]

WHEN is left to `alerter.core.until`; here it is only told from the name before it. Names with a number in front, or
with the word ``until`` in them, are put in quotes. Phones and Macs write ``--`` as one long dash and quotes as curly
ones: both are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches

TEXT_LIMIT = 4_000
"""Characters of a command that are read; Slack's own limit is lower."""

TOP_DEFAULT = 5
TOP_LIMIT = 20

VERBS = ("status", "list", "ack", "unack", "snooze", "top", "explain", "help")

_LONG = {"acknowledge": "ack", "unacknowledge": "unack", "ls": "list", "?": "help", "why": "explain"}
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "\u00a0": " "})
_NOTE = re.compile(r"(?:^|\s)(?:--|—)(?:\s*)", re.DOTALL)
_TOKEN = re.compile(r'"[^"]*"|\S+')
_PERCENT = re.compile(r"(?P<number>[0-9]{1,6}(?:[.,][0-9]{1,2})?)\s*%?")
_END = re.compile(
    r"\d+[mhdw]|period|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day|\d{4}-\d\d-\d\d|\d{1,2}:\d\d", re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Status:
    """Where budgets stand: all, or those that ``name`` names."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Every budget in one line each, or those at or over a percentage."""

    over: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """Acknowledge an alert (by id) or what fires of a budget (by name); ``until`` is the asker's words or None."""

    reference: str
    until: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unack:
    """Take an acknowledgement back."""

    reference: str


@dataclass(frozen=True, slots=True)
class Snooze:
    """Keep an alert, or what fires of a budget, quiet until a time: the asker's words."""

    reference: str
    until: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    """What a number is made of: an alert's, by id, or a run's."""

    reference: str


@dataclass(frozen=True, slots=True)
class Top:
    """The most expensive runs of the current periods, of all budgets or of one."""

    limit: int = TOP_DEFAULT
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """The list of commands."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """What could not be understood: our words (safe, with commands in back-ticks), and the asker's own, not escaped.

    ``name`` is what they wrote where that may be a budget's name.
    """

    problem: str
    word: str = ""
    name: str = ""


Acting = Ack | Unack | Snooze
Reading = Status | Listing | Top | Explain | Help | Unclear
Command = Acting | Reading


def parse(text: str) -> Command:
    """Return what the text after ``/budget`` asks for; an empty one asks for the status."""
    body = text[:TEXT_LIMIT].translate(_QUOTES).strip()
    parts = body.split(maxsplit=1)
    if not parts:
        return Status()
    verb, rest = parts[0].casefold(), parts[1] if len(parts) > 1 else ""
    match verb:
        case "status":
            return Status(_name(_TOKEN.findall(rest)))
        case "list":
            return _listing(rest)
        case "ack":
            return _ack(rest)
        case "unack":
            reference = _name(_TOKEN.findall(rest))
            return Unack(reference) if reference else Unclear("Which alert? Write `unack A-7F3K`, or a budget's name.")
        case "snooze":
            return _snooze(rest)
        case "explain":
            reference = _name(_TOKEN.findall(rest))
            return Explain(reference) if reference else Unclear("Which alert? Write `explain A-7F3K`, or a run's name.")
        case "top":
            return _top(rest)
        case "help":
            return Help()
    return _unknown(parts[0], _name(_TOKEN.findall(body)) or "")


def _unknown(word: str, whole: str) -> Unclear:
    close = get_close_matches(_LONG.get(word.casefold(), word.casefold()), VERBS, n=1, cutoff=0.6)
    return Unclear(f"Did you mean `{close[0]}`?", word) if close else Unclear("These are the commands:", word, whole)


def _listing(rest: str) -> Command:
    words = rest.split(maxsplit=1)
    if not words:
        return Listing()
    match = _PERCENT.fullmatch(words[1].strip()) if len(words) > 1 else None
    if words[0].casefold() != "over" or match is None:
        return Unclear("A list is `list`, or `list over 80` for the budgets from 80 % up.")
    return Listing(Decimal(match["number"].replace(",", ".")))


def _ack(rest: str) -> Command:
    tokens, note = _head_and_note(rest)
    cut = _until_at(tokens)
    reference = _name(tokens[:cut])
    if reference is None:
        return Unclear("Which alert? Write `ack A-7F3K`, or a budget's name.")
    if cut == len(tokens):
        return Ack(reference, None, note)
    until = _name(tokens[cut + 1 :])
    if until is None:
        return Unclear("Until when? Write `until 100%`, `until +$500`, `until 2026-12-01`, or leave `until` out.")
    return Ack(reference, until, note)


def _snooze(rest: str) -> Command:
    tokens, note = _head_and_note(rest)
    cut = _until_at(tokens)
    if cut < len(tokens):
        name, end = tokens[:cut], tokens[cut + 1 :]
    else:
        # "tomorrow 9:00" is two words, anything else at the end one; the name is what stands before.
        ends = 2 if len(tokens) > 2 and all(map(_END.fullmatch, tokens[-2:])) else 1
        name, end = tokens[:-ends], tokens[-ends:]
        if not (end and _END.fullmatch(end[0])):
            name, end = tokens, []
    reference, until = _name(name), _name(end)
    if reference is None:
        return Unclear("Which alert? Write `snooze A-7F3K 4h`, or a budget's name.")
    if until is None:
        return Unclear("For how long? Write `snooze A-7F3K 4h`, `2d`, `tomorrow`, a date, or `period`.")
    return Snooze(reference, until, note)


def _head_and_note(rest: str) -> tuple[list[str], str]:
    if mark := _NOTE.search(rest):
        return _TOKEN.findall(rest[: mark.start()]), rest[mark.end() :].strip()
    return _TOKEN.findall(rest), ""


def _until_at(tokens: list[str]) -> int:
    """Return where the word ``until`` stands, a name before it; the number of tokens where it doesn't."""
    return next((at for at, token in enumerate(tokens) if at and token.casefold() == "until"), len(tokens))


def _top(rest: str) -> Command:
    tokens = _TOKEN.findall(rest)
    if not tokens or not _NUMBER.fullmatch(tokens[0]):
        return Top(TOP_DEFAULT, _name(tokens))
    limit = int(tokens[0])
    if not 1 <= limit <= TOP_LIMIT:
        return Unclear(f"`top` lists 1 to {TOP_LIMIT} runs. A budget whose name is a number goes in quotes.")
    return Top(limit, _name(tokens[1:]))


def _name(tokens: list[str]) -> str | None:
    """Return tokens as one name without quotes or the back-ticks that come with a copied id."""
    name = " ".join(token.strip('"`').strip() for token in tokens).strip()
    return name or None
