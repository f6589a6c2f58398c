"""Answers to one person in Slack: escaped text, cut into blocks that Slack accepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerter.core.text import clip
from alerter.notifiers.slack.escape import untrusted

SECTION_LIMIT = 3_000
BLOCK_LIMIT = 50
FALLBACK_LIMIT = 3_900
"""Slack shortens a message's text beyond 4,000 characters."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An ephemeral answer: lines of mrkdwn, escaped already, seen only by the asker."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole answer as one text, for clients that show no blocks."""
        return clip("\n".join(self.lines), FALLBACK_LIMIT)

    @property
    def blocks(self) -> list[dict[str, object]]:
        """The answer as sections of whole lines, each within Slack's limits."""
        return [
            {"type": "section", "text": {"type": "mrkdwn", "text": part, "verbatim": True}}
            for part in _chunks(self.lines)
        ]

    def body(self) -> dict[str, object]:
        """Return it as the body of an HTTP answer, a Socket Mode acknowledgement or a post to a response_url."""
        return {
            "response_type": "ephemeral",
            "replace_original": False,  # a button's message is the alert: it stays
            "text": self.text,
            "blocks": self.blocks,
        }


def say(text: str) -> Reply:
    """Return a reply of one line of plain, not yet escaped text."""
    return Reply((untrusted(text, 1_000),))


def unescape(text: str) -> str:
    """Return what a person typed: Slack sends ``&``, ``<`` and ``>`` of a command escaped."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _chunks(lines: Sequence[str]) -> Iterable[str]:
    chunk: list[str] = []
    size = 0
    made = 0
    for line in (clip(each, SECTION_LIMIT) for each in lines):
        if chunk and size + len(line) + 1 > SECTION_LIMIT:
            yield "\n".join(chunk)
            made += 1
            if made == BLOCK_LIMIT - 1:
                yield "…"
                return
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if any(chunk):
        yield "\n".join(chunk)
