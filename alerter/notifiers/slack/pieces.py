"""What blocks are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from alerter.core import wording
from alerter.core.alerts import RunEvidence
from alerter.notifiers.slack.escape import link, person, plain, untrusted
from alerter.notifiers.slack.limits import HEADER_LIMIT, SECTION_LIMIT, Block

STYLE = wording.Style(safe=untrusted, strong=lambda text: f"*{text}*", who=person)

WITHOUT_BOLD = replace(STYLE, strong=str)
"""For the text that stands for the blocks elsewhere: it is mrkdwn too."""


def header(text: str) -> Block:
    """Return a headline of plain text."""
    return {"type": "header", "text": {"type": "plain_text", "text": plain(text, HEADER_LIMIT) or "-", "emoji": True}}


def section(*lines: str) -> Block:
    """Return lines of mrkdwn, as many as fit."""
    return {"type": "section", "text": _mrkdwn(*lines)}


def context(*lines: str) -> Block:
    """Return fine print."""
    return {"type": "context", "elements": [_mrkdwn(*lines)]}


def run_line(run: RunEvidence, currency: str) -> str:
    """Return a run with its name as a link, where it has a page."""
    name = link(run.url, untrusted(run.name) or untrusted(run.run_uuid))
    return f"{name} · {wording.run_facts(run, currency, STYLE)}"


def fit(lines: Iterable[str], limit: int) -> str:
    """Return lines as one text. Whole ones are dropped at the limit: a cut inside could open an entity or a link."""
    kept: list[str] = []
    for line in filter(None, lines):
        if sum(len(each) + 1 for each in kept) + len(line) <= limit:
            kept.append(line)
    return "\n".join(kept) or "-"


def _mrkdwn(*lines: str) -> Block:
    # verbatim: Slack makes no links, channels or mentions of its own from what people typed.
    return {"type": "mrkdwn", "text": fit(lines, SECTION_LIMIT), "verbatim": True}
