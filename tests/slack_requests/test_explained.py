"""The evidence of a number, short enough for Slack; whatever is in an answer, Slack takes it and nobody is called."""

from typing import Any

from hypothesis import given, strategies as st

from alerter.core.views import BudgetStatus
from alerter.slack_requests.handle import handle_command
from tests.fixtures.window_data import FakeDesk, budget
from tests.notifiers.test_hostile_text import TEXTS, marks
from tests.slack_requests.asking import EVIL, OPEN, assert_slack_takes, command, run

EVIDENCE: dict[str, Any] = {
    "alert": {
        "id": "A-7F3K",
        "budget": "every-team",
        "scope": {"team": "vision"},
        "period": ["2026-11-01", "2026-12-01"],
        "currency": "USD",
        "amount": "12000",
        "spent_when_fired": "9740",
        "spent": "10120.5",
        "restated": None,
    },
    "runs": [{"name": f"trial-{n}", "run_id": f"r{n}", "cost": "100"} for n in range(7)],
    "charges": [
        {
            "meter": "machine",
            "rule": "aws p4d.24xlarge",
            "unit_price": "32.77",
            "unit": "h",
            "cost": c,
            "currency": "USD",
        }
        for c in ("6000", "4120.5")
    ],
    "gaps": [{"meter": "gpu"}],
}


def test_an_explanation_is_short_and_says_where_the_whole_is() -> None:
    text = handle_command(command("explain a-7f3k"), FakeDesk(evidence=EVIDENCE), OPEN).text
    assert text.splitlines() == [
        "*every-team / vision* · A-7F3K · 2026-11-01 to 2026-11-30",
        "*$10,120.50* of $12,000.00; it was $9,740.00 when it fired",
        *(f"• trial-{n} · $100.00" for n in range(5)),
        "and 2 more runs",
        "*Charged as*",
        "• machine · aws p4d.24xlarge · 32.77 per h · $10,120.50",
        "1 stretch of use had no price and is not in it.",
        "_Estimates. Every line of the ledger:_ `alerter explain A-7F3K`",
    ]


def test_of_tokens_it_says_how_many() -> None:
    used = {"fresh": 1_234_000, "cached": 500, "into_cache": 0, "out": 60}
    line = {"meter": "tokens", "rule": "genai-prices openai gpt-4o-mini: in 0.15, out 0.6 a million", "unit": "total"}
    priced = {**line, "unit_price": "1", "currency": "USD", "cost": "0.1", "tokens": used}
    text = handle_command(
        command("explain a-7f3k"), FakeDesk(evidence={**EVIDENCE, "charges": [priced] * 2}), OPEN
    ).text
    assert f"• tokens · {line['rule']} · 2,468,000 in, 1,000 cached, 120 out · $0.20" in text.splitlines()


def test_a_run_is_explained_by_what_it_counts_for() -> None:
    evidence = {
        "run": {"run_id": "9f2c", "name": EVIL, "status": "RUNNING", "cost": "12"},
        "budgets": [{"budget": EVIL, "scope": {"team": "vision"}, "cost": "12"}],
        "charges": [],
        "gaps": [],
    }
    reply = handle_command(command("explain 9f2c"), FakeDesk(evidence=evidence), OPEN)
    assert "<" not in reply.text
    assert "Nothing was charged." in reply.text
    assert_slack_takes(reply)


def test_a_run_of_two_months_says_what_of_it_is_in_this_one() -> None:
    current = {"period": ["2026-12-01", "2027-01-01"], "cost": "2.5"}
    evidence = {
        "run": {"run_id": "9f2c", "name": "long", "status": "RUNNING", "cost": "12"},
        "budgets": [{"budget": "vision", "scope": {}, "cost": "12", "current": current}],
        "charges": [],
        "gaps": [],
    }
    text = handle_command(command("explain 9f2c"), FakeDesk(evidence=evidence), OPEN).text
    assert "• $12.00 counts for vision, $2.50 of it from 2026-12-01 to 2026-12-31" in text.splitlines()


def test_without_any_charge_the_currency_is_the_budgets_own() -> None:
    evidence = {**EVIDENCE, "alert": EVIDENCE["alert"] | {"currency": "EUR", "spent": "0"}, "charges": []}
    text = handle_command(command("explain a-7f3k"), FakeDesk(evidence=evidence), OPEN).text
    assert "*€0.00* of €12,000.00" in text


def test_what_cannot_be_explained_says_what_may_be_meant() -> None:
    text = handle_command(command("explain A-7F3X"), FakeDesk(), OPEN).text
    assert text == "⚠️ there is no alert and no run called 'A-7F3X'; did you mean A-7F3K?"


@given(
    text=TEXTS,
    verb=st.sampled_from(
        ["status", "list", "list over 1", "ack", "unack", "snooze", "top", "top 20", "explain", "help", ""]
    ),
    many=st.sampled_from([1, 4, 40]),
)
def test_no_tag_value_and_no_command_makes_an_answer_that_calls_or_links(text: str, verb: str, many: int) -> None:
    rows: list[BudgetStatus] = [budget(text, 9 + n, 10, scope=(("team", text),)) for n in range(many)]
    names = {"budget": text, "scope": {"team": text}, "name": text}
    evidence = {
        **EVIDENCE,
        "alert": EVIDENCE["alert"] | names,
        "runs": [each | {"name": text} for each in EVIDENCE["runs"]],
        "charges": [each | {"rule": text, "meter": text} for each in EVIDENCE["charges"]],
    }
    desk = FakeDesk(budgets=rows, runs=[run(text, url=text, machine=text)] * many, evidence=evidence)
    reply = handle_command(command(f"{verb} {text}", user_name=text, command=f"/{text}"), desk, OPEN)
    assert_slack_takes(reply)
    assert all(each.startswith(("https://", "http://")) for each in marks(reply.text))
