"""How a mail is made: its parts and pictures, how copies are known, threads, and what a subject says."""

import sys
from email.message import EmailMessage

import pytest

from alerter.notifiers.email.render import render
from tests.fixtures.smtp_server import Received, SmtpServer
from tests.notifiers.samples import DAYS, acknowledged, alert, message, over
from tests.notifiers.test_email import TARGET, body, notifier, sent


def parts(mail: Received) -> str:
    """Return the tree of a mail's types."""

    def tree(part: EmailMessage) -> str:
        inner = [tree(each) for each in part.iter_parts() if isinstance(each, EmailMessage)]
        return part.get_content_subtype() + (f"({', '.join(inner)})" if inner else "")

    return tree(mail.message)


def test_the_chart_stands_in_the_html_and_beside_it(smtp_server: SmtpServer) -> None:
    notifier(smtp_server).send(TARGET, message(alert(burn_up=DAYS)), {}, "k")
    mail = sent(smtp_server)
    assert parts(mail) == "alternative(plain, related(html, png))"
    (picture,) = [each for each in mail.message.walk() if each.get_content_type() == "image/png"]
    png = picture.get_payload(decode=True)
    assert isinstance(png, bytes)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 30_000
    html = body(mail, "html")
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    assert 'alt="Chart from 1 Nov to 30 Nov: spent $9,740, amount $12,000, expected $14,200"' in html
    assert picture["Content-Disposition"] == 'inline; filename="chart-1.png"'


def test_a_mail_of_many_alerts_shows_the_first_few_charts(smtp_server: SmtpServer) -> None:
    many = [alert(id=f"A-{number}", burn_up=() if number == 1 else DAYS) for number in range(30)]
    notifier(smtp_server).send(TARGET, message(*many), {}, "k")
    mail = sent(smtp_server)
    assert parts(mail) == "alternative(plain, related(html, png, png))"
    assert body(mail, "html").count("<img") == 2
    assert "and 5 more" in body(mail, "plain")


def test_without_a_rasteriser_the_mail_goes_without_picture(
    smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)  # as on a machine that it isn't built for
    notifier(smtp_server).send(TARGET, message(alert(burn_up=DAYS)), {}, "k")
    assert parts(sent(smtp_server)) == "alternative(plain, html)"
    assert "<img" not in body(sent(smtp_server), "html")
    assert "a mail goes without its chart id=A-7F3K" in caplog.text


def test_a_second_copy_has_the_id_of_the_first(smtp_server: SmtpServer) -> None:
    for key in ("k", "k", "another"):
        notifier(smtp_server).send(TARGET, message(), {}, key)
    first, second, third = (each.message["Message-ID"] for each in smtp_server.mails)
    assert first == second != third
    assert first.endswith("@example.com>")


def test_mails_on_one_budget_scope_and_period_are_one_thread(smtp_server: SmtpServer) -> None:
    again = alert(id="A-OTHER", percent=100, spent_nanos=alert().amount_nanos)
    told = [
        message(),
        message(again),
        message(alert(period_start="2026-12-01")),
        message(alert(scope=(("team", "x"),))),
    ]
    for number, each in enumerate([*told, message(alert(), over())]):
        notifier(smtp_server).send(TARGET, each, {}, str(number))
    roots = [each.message["In-Reply-To"] for each in smtp_server.mails]
    assert roots[0] == roots[1] == roots[4]
    assert len(set(roots)) == 3
    assert len(smtp_server.mails[4].message["References"].split()) == 2


def test_a_reply_names_the_mail_that_it_replies_to(smtp_server: SmtpServer) -> None:
    first = notifier(smtp_server).send(TARGET, message(), {}, "first")
    again = message(alert(reason="repeat", percent=100))
    notifier(smtp_server).send(TARGET, again, {}, "second", thread=first)
    root, reply = (each.message for each in smtp_server.mails)
    assert reply["In-Reply-To"] == root["Message-ID"]
    assert reply["References"].split() == [root["In-Reply-To"], root["Message-ID"]]


@pytest.mark.parametrize(
    ("reason", "begins"),
    [
        ("first", "🟠 vision · November budget"),
        ("repeat", "Reminder: 🟠 vision"),
        ("escalation", "Escalated: 🟠 vision"),
        ("snooze ended", "Snooze over: 🟠 vision"),
        ("hold ended", "Not acknowledged any more: 🟠 vision"),
    ],
)
def test_the_subject_says_why_it_comes_once_more(reason: str, begins: str) -> None:
    told = message(alert(reason=reason))
    assert render(told, {}).subject.startswith(begins)
    assert render(told, {"A-7F3K": acknowledged()}).subject.startswith("☑️ vision")
