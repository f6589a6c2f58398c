import json
from dataclasses import replace
from decimal import Decimal

import pytest

from alerter.core.views import BudgetStatus
from alerter.slack_requests.handle import handle_command, handle_interaction
from alerter.slack_requests.policy import Policy
from tests.fixtures.window_data import BUDGETS, SPIKE, VISION, Done, FakeDesk, budget
from tests.slack_requests.asking import EVIL, OPEN, assert_slack_takes, button, chosen, command, run


def test_an_ack_says_who_from_where_and_why() -> None:
    desk = FakeDesk()
    reply = handle_command(command("ack A-7F3K until friday -- R&amp;D knows"), desk, OPEN)
    assert desk.calls == [("ack", "A-7F3K", "slack:U01ANNA (anna)", "slack", "R&D knows", "friday")]
    assert reply.text == "✅ Acknowledged A-7F3K: quiet until the next threshold."


def test_an_unknown_alert_is_said_to_be_unknown_and_escaped() -> None:
    reply = handle_command(command("ack &lt;!channel&gt;"), FakeDesk(), OPEN)
    assert reply.text == "⚠️ No alert is called &lt;!channel&gt;."


class ForgetfulDesk(FakeDesk):
    def acknowledge(self, reference: str, *, actor: str, via: str, note: str, until: str | None) -> Done:
        return Done(True, f"vision ({reference}) is already acknowledged by slack:U02BERT (bert) at 14:40", "already")


def test_who_acknowledged_before_is_shown_as_slack_shows_people() -> None:
    reply = handle_command(command("ack A-7F3K"), ForgetfulDesk(), OPEN)
    assert reply.text == "✅ vision (A-7F3K) is already acknowledged by <@U02BERT> at 14:40"


def test_unack_goes_to_the_desk() -> None:
    desk = FakeDesk()
    handle_command(command("unack A-7F3K"), desk, OPEN)
    assert desk.calls == [("unack", "A-7F3K", "slack:U01ANNA (anna)", "slack")]


def test_a_snooze_is_typed_too() -> None:
    desk = FakeDesk()
    reply = handle_command(command("snooze A-7F3K 4h -- moving house"), desk, OPEN)
    assert desk.calls == [("snooze", "A-7F3K", "slack:U01ANNA (anna)", "slack", "moving house", "4h")]
    assert reply.text == "✅ A-7F3K is snoozed until 4h."


def test_status_lists_the_fullest_first_with_an_estimate_note() -> None:
    lines = handle_command(command(""), FakeDesk(), OPEN).lines
    assert [line.split(" · ")[0] for line in lines[:4]] == [
        "🔴 *gpu-spike*",
        "🟠 *vision* (every-team)",
        "🟢 *fraud-detection*",
        "🟢 *nlp* (every-team)",
    ]
    assert lines[0] == "🔴 *gpu-spike* · November · 137.5 % · $412.50 of $300.00"
    assert "estimates" in lines[-1]


def test_one_budget_is_told_in_full() -> None:
    text = handle_command(command("status vision"), FakeDesk(), OPEN).text
    assert "`████████░░`" in text
    assert "$2,435 by runs still running · on course to reach $14,200 by Mon 30 Nov · 48 runs" in text


def test_list_over_asks_for_exactly_that_percentage() -> None:
    text = handle_command(command("list over 80"), FakeDesk(), OPEN).text
    assert "gpu-spike" in text
    assert "vision" in text
    assert "nlp" not in text
    assert handle_command(command("list over 200"), FakeDesk(), OPEN).text == "No budget is at 200 % or over."


def test_stale_totals_are_said_to_be_stale() -> None:
    desk = FakeDesk(budgets=[replace(VISION, stale=True)])
    assert "there may be more" in handle_command(command("status"), desk, OPEN).text


def test_a_misspelt_budget_gets_the_nearest_name() -> None:
    text = handle_command(command("status fraud-detecton"), FakeDesk(), OPEN).text
    assert text == "No budget is called “fraud-detecton”. Did you mean “fraud-detection”?"
    assert handle_command(command("top visoin"), FakeDesk(), OPEN).text.endswith("Did you mean “vision”?")


def test_no_budgets_at_all() -> None:
    assert "No budget is being watched" in handle_command(command(""), FakeDesk(budgets=[]), OPEN).text
    assert "No budget is being watched" in handle_command(command("status x"), FakeDesk(budgets=[]), OPEN).text


def test_top_links_the_runs() -> None:
    desk = FakeDesk(runs=[run("trial-14"), run("", running=False, per_hour_nanos=0, url="")])
    lines = handle_command(command("top 2 vision"), desk, OPEN).lines
    assert desk.calls == [("top", 2, "vision")]
    assert lines[1] == (
        "1. <https://mlflow.example.com/#/experiments/1/runs/9f2c|trial-14> · running · "
        "4 x p4d.24xlarge (from num_workers) · $88/h · $1,480 · vision"
    )
    assert lines[2].startswith("2. 9f2c · ended")


def test_help_uses_the_name_of_the_command() -> None:
    text = handle_command(command("help", command="/kosten"), FakeDesk(), OPEN).text
    assert "`/kosten ack ID|NAME [until WHEN] [-- NOTE]`" in text
    assert "`/kosten snooze ID|NAME WHEN" in text
    assert "`/kosten explain ID|RUN`" in text


def test_an_unknown_verb_gets_a_guess_or_the_help() -> None:
    text = handle_command(command("statsu"), FakeDesk(), OPEN).text
    assert text == "I don't know “statsu”. Did you mean `status`? `/budget help` lists the commands."
    text = handle_command(command("xyzzy"), FakeDesk(), OPEN).text
    assert text.startswith("I don't know “xyzzy”. These are the commands:\n")
    assert "`/budget top [N] [NAME]`" in text


@pytest.mark.parametrize("text", ["ack", "snooze vision", "ack vision until", "top 0", "list over"])
def test_what_is_missing_is_said_in_one_line(text: str) -> None:
    (line,) = handle_command(command(text, command="/kosten"), FakeDesk(), OPEN).lines
    assert line.endswith(" `/kosten help` lists the commands.")


def test_a_budgets_name_alone_is_taken_for_a_question_about_it() -> None:
    for text in ("vision", "Visoin"):
        said = handle_command(command(text), FakeDesk(), OPEN).text
        assert said.startswith(f"I don't know “{text}”. Did you mean `status vision`? ")
    assert "These are the commands:" in handle_command(command("xyzzy"), FakeDesk(), OPEN).text
    assert "These are the commands:" in handle_command(command("vision"), FakeDesk(budgets=[]), OPEN).text


@pytest.mark.parametrize(
    "policy",
    [
        Policy(teams=frozenset({"T02OTHER"})),
        Policy(channels=frozenset({"C99", "#elsewhere"})),
        Policy(users=frozenset({"U02BERT", "anna"})),  # a display name lets nobody in
    ],
)
def test_a_stranger_is_refused_politely_and_audited(policy: Policy) -> None:
    desk = FakeDesk()
    assert handle_command(command("ack A-7F3K"), desk, policy).text.startswith("Sorry")
    for pressed in (button(), chosen("A-7F3K 1h")):
        reply = handle_interaction(pressed, desk, policy)
        assert reply is not None
        assert reply.text.startswith("Sorry")
    assert desk.calls == [
        ("refused", "slack:U01ANNA (anna)", "slack", "/budget ack A-7F3K"),
        ("refused", "slack:U01ANNA (anna)", "slack", "acknowledge A-7F3K"),
        ("refused", "slack:U01ANNA (anna)", "slack", "snooze A-7F3K 1h"),
    ]


@pytest.mark.parametrize(
    "policy",
    [
        Policy(teams=frozenset({"T01TEST"}), channels=frozenset({"#ml-costs"}), users=frozenset({"U01ANNA"})),
        Policy(channels=frozenset({"ml-costs"})),
        Policy(channels=frozenset({"C01COST"})),
    ],
)
def test_who_is_on_the_lists_may(policy: Policy) -> None:
    assert "Acknowledged" in handle_command(command("ack A-7F3K"), FakeDesk(), policy).text


class BrokenDesk(FakeDesk):
    def status(self, name: str | None) -> list[BudgetStatus]:
        raise OSError(f"disk full while reading {name}")


def test_a_failure_is_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    text = handle_command(command("status s3cret-name"), BrokenDesk(), OPEN).text
    assert text.startswith("Sorry, that failed here")
    assert "s3cret" not in text
    assert "disk full" in caplog.text


def test_hostile_names_stay_text() -> None:
    many = [budget(EVIL, 9 + n, 10, scope=(("team", EVIL * 200),)) for n in range(5)]
    desk = FakeDesk(budgets=many, runs=[run(EVIL, url="https://x/|y>")] * 3)
    for text in ("status", "top", f"status {EVIL}", f"ack {EVIL}", EVIL):
        reply = handle_command(command(text, user_name=EVIL, command=f"/{EVIL}"), desk, OPEN)
        assert "<" not in reply.text
        assert "\u202e" not in reply.text
        assert_slack_takes(reply)


@pytest.mark.parametrize("count", [1, 3, 4, 26, 3_000])
def test_any_number_of_budgets_fits_into_slack(count: int) -> None:
    desk = FakeDesk(budgets=[budget(f"budget-{n} " + "&" * 200, n, 1_000) for n in range(count)])
    reply = handle_command(command(""), desk, OPEN)
    assert_slack_takes(reply)
    assert ("more. Ask" in reply.text or "more. Ask" in json.dumps(reply.blocks)) == (count > 25)


def test_the_fakes_are_what_the_tests_think() -> None:
    assert SPIKE.percent == Decimal("137.50")
    assert len(BUDGETS) == 4
