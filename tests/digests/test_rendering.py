"""A digest as people read it: nothing left out unsaid, nothing that a tag value wrote may speak."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings

from alerter.core.alerts import Digest, Message
from alerter.core.digest_wording import digest_title
from alerter.core.ports import Target
from alerter.notifiers.console import ConsoleNotifier
from alerter.notifiers.email.render import render as render_mail
from alerter.notifiers.slack.blocks import render as render_slack
from alerter.notifiers.slack.limits import problems
from tests.digests.sample import DIGEST, MESSAGE
from tests.notifiers.test_hostile_text import TEXTS, marks, texts

SAID = (
    "Weekly digest, Mon 23 Nov: 4 budgets, 3 over or on course to be",
    "suspected stale, $120 not counted · g5.12xlarge",
    "$9,140 of $12,000 (76.1 %) · $14,600 expected (121 %) · 8 days left · $120 suspected stale",
    "+$2,310: $3,510, after $1,200 the week before",
    "Top runs in the 7 days before Mon 23 Nov",
    "4 x p4d.24xlarge (from num_workers)",
    "and 61 more runs",
    "Suspected stale: $120, not counted",
    "94 % of run time priced",
    "data of Mon 23 Nov 09:00",
)


def of(digest: Digest) -> Message:
    return replace(MESSAGE, title=digest_title(digest), digest=digest)


def console(message: Message) -> str:
    stream = io.StringIO()
    ConsoleNotifier(stream).send(Target("all", {}), message, {}, "key")
    return stream.getvalue()


def slack(message: Message) -> str:
    made = render_slack(message, {})
    assert problems(made.blocks, made.text) == []
    return made.blocks[0]["text"]["text"] + "".join(texts(made.blocks)).replace("*", "")  # type: ignore[no-any-return]


@pytest.mark.parametrize("said", SAID)
def test_every_way_of_telling_says_the_same(said: str) -> None:
    mail = render_mail(MESSAGE, {})
    for shown in (console(MESSAGE), slack(MESSAGE), mail.text, mail.html):
        assert said in shown


def test_what_is_left_out_is_counted_and_what_is_missing_is_said() -> None:
    ten = tuple(replace(DIGEST.budgets[1], title="v" * 80) for _ in range(10))
    message = of(replace(DIGEST, budgets=ten, more_budgets=31, missing=("source main can't be read since Mon 23 Nov",)))
    mail = render_mail(message, {})
    for shown in (console(message), slack(message), mail.text, mail.html.replace("&#39;", "'")):
        assert shown.count("v" * 80) == 10
        assert "41 budgets" in shown
        assert "and 31 more" in shown
        assert "Incomplete: source main can't be read since Mon 23 Nov. More may have been spent." in shown


def test_an_empty_digest_can_be_sent() -> None:
    message = of(Digest("daily", "daily", "2026-11-23", 1, "UTC", "USD", 0))
    assert "0 budgets, none on course to be over" in console(message)
    assert "data of Thu 1 Jan 00:00" in slack(message)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_hostile_names_stay_names(text: str) -> None:
    budgets = tuple(replace(DIGEST.budgets[0], title=text, period=text) for _ in range(10))
    runs = tuple(replace(DIGEST.top[0], name=text, run_uuid="r", machine=text, url=text) for _ in range(5))
    message = of(replace(DIGEST, budgets=budgets, movers=budgets[:5], top=runs, stale=runs, missing=(text,)))
    made = render_slack(message, {})
    assert problems(made.blocks, made.text) == []
    for shown in [*texts(made.blocks), made.text]:
        assert [each for each in marks(shown) if not each.startswith(("http://", "https://"))] == []
        assert "`" not in shown
    assert "<script" not in render_mail(of(replace(message.digest or DIGEST, missing=("<script>",))), {}).html
