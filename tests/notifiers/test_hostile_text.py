"""Tags and run names are whatever somebody typed: nothing of it may speak, link, format, or break a limit."""

import json
import re
import unicodedata
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from itertools import cycle
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from alerter.core import wording
from alerter.core.alerts import AlertState, AlertStatus, Message, MessageKind
from alerter.core.budgets import Basis
from alerter.core.decisions import Reason
from alerter.core.money import NANOS
from alerter.core.text import one_line
from alerter.notifiers.email.compose import compose
from alerter.notifiers.email.render import render as render_mail
from alerter.notifiers.slack.blocks import render as render_slack
from alerter.notifiers.slack.escape import mention, plain, untrusted
from alerter.notifiers.slack.limits import problems
from alerter.notifiers.webhook.payload import encode
from tests.digests.sample import DIGEST
from tests.notifiers.samples import DAYS, HOSTILE, NOW, acknowledged, hostile, message, over

FRAGMENTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.sampled_from(
        ["<!here>", "<@U012345>", "`", "*", "_", "~", "&", "<", ">", "|", "\n", "\u202e", "https://x.example"]
    ),
)
TEXTS = st.lists(FRAGMENTS, max_size=6).map("".join)
STATES = st.one_of(
    st.none(),
    st.builds(AlertState, st.sampled_from(AlertStatus), by=TEXTS, at_ms=st.just(NOW), until=TEXTS, note=TEXTS),
)
# What Slack acts on: <...> is a mention, a command or a link. Ours are links with a web address, and members who acted.
_CONTROL = re.compile(r"<([^>]*)>")
_OURS = re.compile(r"^(https?://[^\s<>|]+\|.+|@[UW][A-Z0-9]+)$", re.DOTALL)


def marks(text: str) -> list[str]:
    return _CONTROL.findall(text)


def texts(blocks: list[dict[str, object]]) -> list[str]:
    found = []

    def walk(part: object) -> None:
        if isinstance(part, dict):
            if part.get("type") == "mrkdwn":
                found.append(part["text"])
                assert part["verbatim"] is True
            for each in part.values():
                walk(each)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk(blocks)
    return found


# What a hostile alert has besides: each basis and level has words of its own.
KINDS = st.fixed_dictionaries(
    {
        "basis": st.sampled_from(Basis),
        "spent_nanos": st.sampled_from([each * NANOS for each in (9_740, 12_000, 10**9)]),
        "reason": st.sampled_from([*Reason, "some later reason"]),
    }
)


@given(
    text=TEXTS,
    drawn=st.lists(STATES, min_size=1, max_size=3),
    many=st.sampled_from([1, 1, 2, 12]),
    kind=KINDS,
    told_as=st.sampled_from([MessageKind.ALERT, MessageKind.OPENING]),
    reply=st.booleans(),
)
def test_every_slack_message_is_valid_and_says_nothing_of_its_own(
    text: str,
    drawn: list[AlertState | None],
    many: int,
    kind: dict[str, Any],
    told_as: MessageKind,
    *,
    reply: bool,
) -> None:
    alerts = [hostile(text, id=f"A-{number:04d}", **kind) for number in range(many)]
    states = {each.id: state for each, state in zip(alerts, cycle(drawn), strict=False) if state}
    made = render_slack(message(*alerts, kind=told_as), states, reply=reply)
    assert problems(made.blocks, made.text) == []
    for shown in [*texts(made.blocks), made.text]:
        assert [each for each in marks(shown) if not _OURS.match(each)] == []
        assert "`" not in shown
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", shown)


@given(text=TEXTS)
@example(text="http://")
def test_a_digest_in_slack_is_valid_and_says_nothing_of_its_own(text: str) -> None:
    made = render_slack(hostile_digest(text), {})
    assert problems(made.blocks, made.text) == []
    for shown in [*texts(made.blocks), made.text]:
        assert [each for each in marks(shown) if not _OURS.match(each)] == []
        assert "`" not in shown


@given(title=TEXTS, text=TEXTS)
def test_a_notice_is_valid_too(title: str, text: str) -> None:
    made = render_slack(Message(MessageKind.OPERATOR, title=title, text=text), {})
    assert problems(made.blocks, made.text) == []
    assert marks(made.text) == []


@given(text=TEXTS)
def test_escaped_text_keeps_no_control_character_and_no_open_entity(text: str) -> None:
    for shown in (untrusted(text), plain(text, 150)):
        assert not set("<>\n\r\t") & set(shown)
        assert re.sub("&(amp|lt|gt);", "", shown).count("&") == 0
    assert len(plain(text, 150)) <= 150


@given(text=TEXTS)
def test_a_line_is_one_line_and_visible(text: str) -> None:
    line = one_line(text, 80)
    assert len(line) <= 80
    assert len(line.splitlines()) <= 1
    assert all(unicodedata.category(sign) not in {"Cc", "Cs"} for sign in line)


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        ("U012ABCDE", "<@U012ABCDE>"),
        ("@W012ABCDE", "<@W012ABCDE>"),
        ("<@U012ABCDE>", "<@U012ABCDE>"),
        ("S012ABCDE", "<!subteam^S012ABCDE>"),
        ("<!subteam^S012ABCDE>", "<!subteam^S012ABCDE>"),
        ("@here", "<!here>"),
        ("@ml-oncall", "@ml-oncall"),
        ("<!here|x>", "&lt;!here|x&gt;"),
    ],
)
def test_only_the_configuration_mentions(handle: str, said: str) -> None:
    assert mention(handle) == said
    made = render_slack(message(over(mention=handle)), {})
    assert made.text.startswith(said)
    assert any(said in each for each in texts(made.blocks))


class _Page(HTMLParser):
    """What a mail client would see of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@given(text=TEXTS, state=STATES, kind=KINDS)
def test_html_holds_no_markup_but_ours(text: str, state: AlertState | None, kind: dict[str, Any]) -> None:
    told = message(hostile(text, burn_up=DAYS, **kind))
    page = _Page()
    page.feed(render_mail(told, {"A-7F3K": state} if state else {}, ["chart-1@example.com"]).html)
    assert page.tags <= {"html", "head", "meta", "style", "body", "table", "tr", "td", "a", "br", "div", "span", "img"}
    assert all(link.startswith(("http://", "https://")) or link == "cid:chart-1@example.com" for link in page.links)
    assert page.handlers == []


def hostile_digest(text: str) -> Message:
    budgets = (replace(DIGEST.budgets[0], title=text, period=text),)
    runs = hostile(text).top
    made = replace(DIGEST, budgets=budgets, movers=budgets, top=runs, stale=runs, missing=(text,), page_url=text)
    return Message(MessageKind.DIGEST, title="Digest", digest=made)


@given(text=TEXTS)
def test_a_digest_holds_no_markup_but_ours(text: str) -> None:
    page = _Page()
    page.feed(render_mail(hostile_digest(text), {}).html)
    assert page.tags <= {"html", "head", "meta", "style", "body", "table", "tr", "td", "a", "br", "div", "span"}
    assert all(link.startswith(("http://", "https://")) for link in page.links)
    assert page.handlers == []


@given(text=TEXTS, state=STATES)
def test_a_webhooks_body_is_one_json_that_holds_what_was_typed(text: str, state: AlertState | None) -> None:
    told = message(hostile(text), over(title=text))
    made = json.loads(encode(told, {"A-7F3K": state} if state else {}, text, event="told", now_ms=NOW))
    kept = text.encode("utf-8", "replace").decode()
    assert made["alerts"][0]["scope"] == {"team": kept}
    assert made["alerts"][0]["runs"][0]["name"] == kept
    for shown in (made["title"], *made["text"].split("\n")):
        assert len(shown.splitlines()) <= 1
        assert all(unicodedata.category(sign) not in {"Cc", "Cs"} for sign in shown)
    assert json.loads(encode(hostile_digest(text), {}, text, event="told", now_ms=NOW))["digest"]["missing"] == [kept]


@given(text=TEXTS)
def test_a_mail_is_whole_and_has_only_our_headers(text: str) -> None:
    told = message(replace(hostile(text), burn_up=DAYS), over(title=text))
    mail = compose(told, {}, text, sender="budgets@example.com", to=["a@example.com"], sent_ms=NOW)
    read = message_from_bytes(mail.as_bytes(), policy=default)
    assert set(read.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Id", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert len(str(read["Subject"])) <= 150


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_each_known_trick_is_shown_short_in_the_subject(text: str) -> None:
    subject = wording.subject(message(hostile(text)), {"A-7F3K": acknowledged()})
    assert len(subject) <= 150
    assert "\n" not in subject
