"""Slack's messages, posted by the program's own notifier to the emulator of the tests, and photographed there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from alerter.core.alerts import Message
from alerter.core.ports import Target
from alerter.notifiers.slack import SlackNotifier
from docs.samples import (
    ACKNOWLEDGED,
    ANALYTICS,
    CLOSED,
    ESCALATED,
    FIRING,
    FRAUD,
    NOW,
    OPENING,
    REMINDER,
    RESOLVED,
    SNOOZED,
    SPENT,
    SPENT_NOW,
    VISION,
)
from tests.digests.sample import MESSAGE as DIGEST
from tests.fixtures.slack_emulator import SlackServer
from tests.run_alerts.sample import MESSAGE as OF_A_RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Shoot = Callable[["Locator", str], None]
"""Given a part of a page, and the picture's name."""

TARGET = Target("ml-costs", {"channel": "#ml-costs"})
# The clock is the emulator's own and would change the pictures each time.
STYLE = """
.msg { width: 720px; padding: 14px !important }
.msg-time, .thread-summary-time { display: none }
.thread-pane { width: 760px !important; max-width: none !important }
.thread-body { flex: none !important; overflow: visible !important }
"""


def draw_slack(browser: Browser, server: SlackServer, shoot: Shoot) -> None:
    """Post an alert in each of its states, its thread, groups and a digest; photograph each."""
    slack = SlackNotifier(server.token, base_url=server.base_url, pace=0, stop=Event())
    page = _open(browser, server, scale=1.2)
    receipt = slack.send(TARGET, FIRING, {}, "alert")
    shoot(_message(page, "Acknowledge", 0), "slack-alert")
    for state, words, name in (
        (ACKNOWLEDGED, "Acknowledged by", "slack-acknowledged"),
        (SNOOZED, "Snoozed by", "slack-snoozed"),
        (RESOLVED, "Resolved", "slack-resolved"),
    ):
        slack.update(TARGET, receipt, FIRING, {VISION.id: state}, "alert")
        shoot(_message(page, words, 0), name)
    slack.update(TARGET, receipt, Message(FIRING.kind, (SPENT_NOW,), at_ms=NOW), {SPENT_NOW.id: CLOSED}, "alert")
    shoot(_message(page, "The period closed", 0), "slack-closed")
    slack.send(TARGET, OPENING, {}, "opening")
    shoot(_message(page, "Watching", 1), "slack-opening")
    group = replace(OPENING, kind=FIRING.kind, title="")
    receipt = slack.send(TARGET, group, {}, "group")
    resolved = replace(group, alerts=(FRAUD, SPENT_NOW, ANALYTICS))
    raised = replace(RESOLVED, note="amount raised to $3,000, 42.3 % of it used")
    slack.update(TARGET, receipt, resolved, {FRAUD.id: ACKNOWLEDGED, ANALYTICS.id: raised}, "group")
    shoot(_message(page, "Resolved", 2), "slack-group")
    slack.send(TARGET, DIGEST, {}, "digest")
    shoot(_message(page, "Budgets, by", 3), "slack-digest")
    slack.send(TARGET, OF_A_RUN, {}, "run")
    shoot(_message(page, "has cost", 4), "slack-run")
    slack.send(TARGET, Message(FIRING.kind, (ANALYTICS,), at_ms=NOW), {}, "forecast")
    shoot(_message(page, "On course to reach", 5), "slack-forecast")
    slack.send(TARGET, Message(FIRING.kind, (ESCALATED,), at_ms=NOW), {}, "escalation")
    shoot(_message(page, "Escalated to you", 6), "slack-escalated")
    page.close()
    _draw_thread(browser, server, slack, shoot)


def _draw_thread(browser: Browser, server: SlackServer, slack: SlackNotifier, shoot: Shoot) -> None:
    root = slack.send(TARGET, FIRING, {}, "root")
    for alert in (SPENT, REMINDER):
        slack.send(TARGET, Message(FIRING.kind, (alert,), at_ms=NOW), {}, alert.reason, root)
    now = replace(REMINDER, crossed=SPENT_NOW.crossed, reason=VISION.reason)
    slack.update(TARGET, root, Message(FIRING.kind, (now,), at_ms=NOW), {}, "root")
    page = _open(browser, server, scale=0.85)
    page.get_by_text("2 replies").click()
    page.get_by_text("Reminder: nobody").first.wait_for()
    page.mouse.move(0, 0)
    shoot(page.locator(".thread-body"), "slack-thread")
    page.close()


def _open(browser: Browser, server: SlackServer, *, scale: float) -> Page:
    page = browser.new_page(viewport={"width": 1500, "height": 1400}, device_scale_factor=scale)
    page.goto(server.url)
    page.get_by_text("ml-costs").first.click()
    page.add_style_tag(content=STYLE)
    return page


def _message(page: Page, words: str, number: int) -> Locator:
    message = page.locator(".msg").nth(number)
    message.get_by_text(words).first.wait_for()
    return message
