"""Untrusted text in Slack's mrkdwn: no mention, link or formatting but ours."""

from __future__ import annotations

import re

from alerter.core.plain_text import web_address
from alerter.core.text import NAME_LIMIT, clip, one_line

# Look-alikes without a meaning in mrkdwn. A backslash doesn't escape there.
_MARKS = str.maketrans({"`": "\u02cb", "*": "\u2217", "~": "\u223c"})
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_MODIFIER_MACRON = "\u02cd"
_LINK_BREAKERS = re.compile(r"[\s<>|`\x00-\x1f\x7f]")
_URL_LIMIT = 2000
_INLINE_URL_LIMIT = 600  # a section holds 3,000 characters and several links
_USER = re.compile(r"^[UW][A-Z0-9]{5,}$")
_ACTOR = re.compile(r"^slack:([UW][A-Z0-9]{5,}) \(.*\)$")
_GROUP = re.compile(r"^S[A-Z0-9]{5,}$")
_BROADCASTS = ("here", "channel", "everyone")


def escape(text: str) -> str:
    """Return text with Slack's three control characters as entities, ``&`` first."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def untrusted(text: str, limit: int = NAME_LIMIT) -> str:
    """Return a tag value, a run's name or a note as one harmless line of mrkdwn; ``limit`` counts before escaping."""
    return escape(_unmark(one_line(text, limit)))


def plain(text: str, limit: int) -> str:
    """Return text for a ``plain_text`` object, escaped, at most ``limit`` characters *after* escaping."""
    line = one_line(text, limit)
    while len(escaped := escape(line)) > limit:
        line = clip(line, len(line) - max((len(escaped) - limit) // 5, 1))
    return escaped


def link(url: str, label: str) -> str:
    """Return ``<url|label>``; only the label (mrkdwn that is safe already) where the URL isn't plain http(s)."""
    return f"<{escape(url)}|{label}>" if is_link(url, _INLINE_URL_LIMIT) else label


def is_link(url: str, limit: int = _URL_LIMIT) -> bool:
    """Whether a URL may become a link: http or https, nothing in it that ends a link early, not too long."""
    return len(escape(url)) <= limit and bool(web_address(url)) and not _LINK_BREAKERS.search(url)


def mention(handle: str) -> str:
    """Return what makes Slack notify somebody whom the configuration names.

    ``U...`` and ``W...`` are members, ``S...`` user groups, ``@here``, ``@channel``, ``@everyone`` the channel. Slack
    notifies by id only: any other handle is shown as text.
    """
    name = handle.strip().strip("<>").removeprefix("!subteam^").lstrip("@!")
    if _USER.match(name):
        return f"<@{name}>"
    if _GROUP.match(name):
        return f"<!subteam^{name}>"
    if name in _BROADCASTS:
        return f"<!{name}>"
    return untrusted(handle)


def notifies(handle: str) -> bool:
    """Whether Slack notifies anybody by a handle of the configuration."""
    return mention(handle).startswith(("<@", "<!"))


def person(who: str) -> str:
    """Return who acted: a member id, alone or as the audit has it, as Slack shows its name; anything else as text."""
    name = _ACTOR.sub(r"\1", who.strip()).removeprefix("<@").removesuffix(">")
    return f"<@{name}>" if _USER.match(name) else untrusted(who)


def _unmark(text: str) -> str:
    text = text.translate(_MARKS)
    # snake_case is left alone: an underscore formats only at the edge of a word.
    return _EDGE_UNDERSCORE.sub(lambda found: _MODIFIER_MACRON * len(found.group()), text)
