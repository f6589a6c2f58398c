"""A digest as Block Kit blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alerter.core.alerts import Digest, Message
from alerter.core.digest_wording import digest_notes, digest_title, parts
from alerter.notifiers.slack.escape import link, untrusted
from alerter.notifiers.slack.limits import SECTION_LIMIT, Block
from alerter.notifiers.slack.pieces import STYLE, context, header, run_line, section


def digest_blocks(message: Message, digest: Digest) -> list[Block]:
    """Return a digest's blocks: a headline, a section for each part, the fine print."""
    blocks = [header(message.title or digest_title(digest))]
    blocks += [section(untrusted(message.text, 600))] if message.text else []
    for part in parts(digest, STYLE):
        runs = (f"{number}. {run_line(run, digest.currency)}" for number, run in enumerate(part.runs, 1))
        lines = [f"*{part.heading}*", *part.lines, *runs, part.rest]
        blocks += [section(*each) for each in _by_section(filter(None, lines))]
    page = link(digest.page_url, "Open the page") if digest.page_url else ""
    return [*blocks, context(*(untrusted(each, 600) for each in digest_notes(digest)), page)]


def digest_text(digest: Digest) -> list[str]:
    """Return what stands for the blocks in a notification."""
    first = next(iter(parts(digest, STYLE)), None)
    return [untrusted(digest_title(digest), 150), *(first.lines[:3] if first else ())]


def _by_section(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield lines in as many sections as they need: one that is too long for a section by itself is left out."""
    kept: list[str] = []
    for line in lines:
        if kept and sum(len(each) + 1 for each in kept) + len(line) > SECTION_LIMIT:
            yield kept
            kept = []
        kept.append(line)
    yield kept
