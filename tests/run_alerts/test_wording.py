"""What people read of a single run that passed its limit, and the pure rule behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerter.core.alerts import Alert, AlertState, AlertStatus, Message
from alerter.core.evaluation import Change, RunAlert, evaluate_run
from alerter.core.plain_text import text
from alerter.core.wording import group_title, headline, subject
from alerter.notifiers.email.render import render as render_mail
from alerter.notifiers.slack.blocks import render as render_slack
from alerter.notifiers.slack.limits import problems
from tests.notifiers.samples import alert, hostile
from tests.run_alerts.sample import ALERT, MESSAGE

FIRING, RESOLVED, OVER = (
    RunAlert(firing, closed, 200) for firing, closed in ((True, False), (False, False), (False, True))
)


@pytest.mark.parametrize(
    ("cost", "limit", "known", "change"),
    [
        (199, 200, None, None),
        (200, 200, None, Change.FIRE),
        (999, None, None, None),
        (200, 200, FIRING, None),
        (200, 150, FIRING, None),
        (200, 300, FIRING, Change.RESOLVE),
        (999, None, FIRING, Change.RESOLVE),
        (199, 200, FIRING, Change.RESOLVE),
        (299, 300, RESOLVED, None),
        (300, 300, RESOLVED, Change.REOPEN),
        (999, 200, OVER, None),  # told in an earlier period
        (999, 150, OVER, None),
        (999, 300, OVER, Change.FIRE),
        (299, 300, OVER, None),
        (999, None, OVER, None),
    ],
)
def test_a_run_is_told_once_a_limit(
    cost: int, limit: int | None, known: RunAlert | None, change: Change | None
) -> None:
    assert evaluate_run(cost, limit, known) is change


def test_the_headline_names_the_run_its_cost_and_the_limit() -> None:
    assert headline(ALERT) == "🟠 trial-14 has cost $1,480, over $1,400 a run (estimate)"


@pytest.mark.parametrize(
    "said",
    [
        "$1,480 of $1,400 a run (105.7 %) · running at $88/h · vision: November budget 81.1 % used",
        "Nothing is stopped. A run is told once. · owner @vision-lead",
        "A-4M2T · budget every-team · data of Mon 23 Nov 14:32",
    ],
)
def test_every_way_of_telling_says_it(said: str) -> None:
    mail, slack = render_mail(MESSAGE, {}), render_slack(MESSAGE, {})
    assert problems(slack.blocks, slack.text) == []
    for shown in (text(MESSAGE, {}), mail.text, str(slack.blocks).replace("*", "")):
        assert said in shown


def test_what_comes_next_is_said_of_a_hold_that_ends() -> None:
    snoozed = AlertState(AlertStatus.SNOOZED, by="ana", until="Tue 24 Nov 09:00")
    assert "Next message when the snooze ends, if the run still goes on." in text(MESSAGE, {ALERT.id: snoozed})
    forever = AlertState(AlertStatus.ACKNOWLEDGED, by="ana")
    assert "A run is told once." in text(MESSAGE, {ALERT.id: forever})
    again = Message(MESSAGE.kind, (replace(ALERT, reason="snooze ended"),))
    assert "The snooze is over, and it still fires." in text(again, {})
    assert "told once" not in text(again, {})


def test_one_that_ended_does_not_burn() -> None:
    ended = replace(ALERT, top=(replace(ALERT.top[0], running=False, per_hour_nanos=0),))
    assert "a run (105.7 %) · ended · vision" in text(Message(MESSAGE.kind, (ended,)), {})


@pytest.mark.parametrize(
    ("alerts", "title"),
    [
        ((ALERT, ALERT), "2 runs passed their limit"),
        ((ALERT, alert()), "A run passed its limit, a budget crossed a threshold"),
        ((ALERT, ALERT, alert(), alert()), "2 runs passed their limit, 2 budgets crossed a threshold"),
    ],
)
def test_a_message_of_several_counts_runs_and_budgets(alerts: tuple[Alert, ...], title: str) -> None:
    message = replace(MESSAGE, alerts=tuple(replace(each, id=f"A-{n}AAA") for n, each in enumerate(alerts)))
    assert group_title(message) == title
    assert "trial-14 at $1,480" in subject(message)
    made = render_slack(message, {})
    assert problems(made.blocks, made.text) == []
    assert "trial-14 has cost $1,480, over $1,400 a run (estimate)" in str(made.blocks)


def test_hostile_names_and_states_stay_within_the_limits() -> None:
    bad = hostile("<!here> `x` & \u202e" * 300)
    message = replace(MESSAGE, alerts=(replace(ALERT, top=bad.top[:1], title=bad.title, owner=bad.owner),))
    for status in AlertStatus:
        made = render_slack(message, {ALERT.id: AlertState(status, by="ana", until="x")})
        assert problems(made.blocks, made.text) == []
        assert "<!here>" not in str(made.blocks)
