"""The words of an alert, line by line."""

from dataclasses import replace

import pytest

from alerter.core import wording
from alerter.core.alerts import Alert, AlertState, AlertStatus, Message, MessageKind
from alerter.core.money import NANOS
from alerter.core.reminders import reason_line
from alerter.core.text import clip, hushed, one_line, visible_json
from tests.notifiers.samples import NOW, RESOLVED, acknowledged, alert, at, forecast, message, over, run


def test_the_alert_that_the_design_draws() -> None:
    told = alert()
    assert wording.headline(told) == "🟠 vision · November budget 81 % used (estimate)"
    assert wording.amount_line(told) == (
        "$9,740 of $12,000 (81.1 %) · 8 days left · 100 % expected Tue 24 Nov ~16:00 (24-25 Nov)"
    )
    assert wording.recent_line(told) == (
        "+$2,310 in the last 24 h, 92 % of it from hpo-resnet · $1,600 by runs still running"
    )
    assert wording.run_line(told.top[0], "USD") == (
        "trial-14 · running · 4 x p4d.24xlarge (from num_workers) · $88/h · $1,480"
    )
    assert wording.more_line(told, 3) == "and 27 more runs"
    assert wording.coverage_line(told) == (
        "94 % of run time priced · $120 suspected stale, not counted · list prices us-east-1"
    )
    assert wording.footer_line(told) == "Nothing is stopped. Next message at 100 %. · owner @vision-lead"
    assert wording.id_line(told) == "A-7F3K · budget every-team · crossed 80 % · data of Mon 23 Nov 14:32"


NEXT = "the next threshold"
TUESDAY, LATER = at(24, 14), at(23, 18)


def held(status: AlertStatus, until: str, covers: int) -> AlertState:
    return AlertState(status, by="ann", at_ms=NOW, until=until, covers=covers)


@pytest.mark.parametrize(
    ("told", "state", "ahead"),
    [
        (alert(), wording.FIRING, "Next message at 100 %."),
        (alert(quiet="20:00 to 07:00"), wording.FIRING, "Next message at 100 %."),
        (
            alert(next_percent=90, quiet="20:00 to 07:00"),
            wording.FIRING,
            "Next message at 90 % (below 100 % not from 20:00 to 07:00).",
        ),
        (
            over(repeat_ms=TUESDAY, escalate_ms=LATER, escalate_to="oncall"),
            wording.FIRING,
            (
                "Next message at 125 %. Unless somebody acknowledges, oncall is told Mon 23 Nov 18:00 "
                "and a reminder comes Tue 24 Nov 14:00."
            ),
        ),
        (
            over(next_percent=None, repeat_ms=TUESDAY),
            wording.FIRING,
            "No further threshold. Unless somebody acknowledges, a reminder comes Tue 24 Nov 14:00.",
        ),
        (over(reason="escalation", repeat_ms=TUESDAY), wording.FIRING, "An escalation is told once."),
        (over(repeat_ms=TUESDAY), held(AlertStatus.ACKNOWLEDGED, NEXT, 100), "Next message at 125 %."),
        (
            over(repeat_ms=TUESDAY),
            held(AlertStatus.SNOOZED, "Tue 24 Nov 16:00", 100),
            "Next message at 125 %, or when the snooze ends.",
        ),
        (
            over(),
            held(AlertStatus.ACKNOWLEDGED, "$20,000 is spent", 100),
            "Next message at 125 %, or when the acknowledgement ends.",
        ),
        (alert(next_percent=90), held(AlertStatus.ACKNOWLEDGED, "100 %", 99), "Next message at 100 %."),
        (alert(), held(AlertStatus.ACKNOWLEDGED, NEXT, 100), "Next message at the next threshold."),
        (alert(days_left=0), wording.FIRING, "The period is over."),
        (alert(), RESOLVED, ""),
    ],
)
def test_the_next_message_is_promised_only_as_it_will_come(told: Alert, state: AlertState, ahead: str) -> None:
    line = wording.footer_line(replace(told, owner=None), state=state)
    assert line == f"Nothing is stopped. {ahead}".strip()


def test_a_period_that_is_over_ended_at_its_level() -> None:
    assert wording.headline(over(days_left=0)) == "🔴 fraud-detection · November budget ended at 112 % (estimate)"
    rolling = over(days_left=0, period="last 30 days")
    assert "112 % used" in wording.headline(rolling)


def test_a_reminder_says_which_one_it_is() -> None:
    assert reason_line(over(reason="repeat", repeats=1)) == "Reminder: nobody has acknowledged this yet."
    assert reason_line(over(reason="repeat", repeats=3)) == "Reminder 3: nobody has acknowledged this yet."
    assert reason_line(over(reason="first")) == ""


@pytest.mark.parametrize(
    ("told", "state", "head"),
    [
        (
            alert(percent=60, spent_nanos=7_300 * NANOS),
            wording.FIRING,
            "🟡 vision · November budget 60 % used (estimate)",
        ),
        (over(), wording.FIRING, "🔴 fraud-detection · November budget 112 % used (estimate)"),
        (forecast(), wording.FIRING, "📈 analytics · November budget on course to pass 100 % (estimate)"),
        (alert(), acknowledged(), "☑️ vision · November budget 81 % used (estimate)"),
        (alert(), RESOLVED, "✅ vision · November budget 81 % used (estimate)"),
        (alert(), AlertState(AlertStatus.SNOOZED), "💤 vision · November budget 81 % used (estimate)"),
        (alert(period="Q4 2026"), wording.FIRING, "🟠 vision · Q4 2026 budget 81 % used (estimate)"),
        (
            alert(period="last 30 days"),
            wording.FIRING,
            "🟠 vision · budget for the last 30 days 81 % used (estimate)",
        ),
        (
            alert(period="Mon 23 Nov"),
            wording.FIRING,
            "🟠 vision · budget for Mon 23 Nov 81 % used (estimate)",
        ),
    ],
)
def test_headlines(told: Alert, state: AlertState, head: str) -> None:
    assert wording.headline(told, state) == head


def test_what_is_not_reached_is_not_claimed() -> None:
    almost = alert(spent_nanos=12_000 * NANOS - 1)
    assert "99 % used" in wording.headline(almost)
    assert "(99.9 %)" in wording.amount_line(almost)
    assert wording.headline(almost).startswith("🟠")


@pytest.mark.parametrize(
    ("part", "said"), [(0, "0 %"), (1, "less than 1 %"), (949, "94 %"), (999, "99 %"), (1000, "100 %")]
)
def test_share_words(part: int, said: str) -> None:
    assert wording.share_words(part, 1000) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 10, "0.0 %"), (1, 3, "33.3 %"), (1, 1, "100.0 %"), (125, 10, "1,250 %"), (0, 0, "0 %"), (1, 0, "over 100 %")],
)
def test_percent(part: int, whole: int, said: str) -> None:
    assert wording.percent(part, whole) == said


def test_small_budgets_are_told_to_the_cent() -> None:
    line = wording.amount_line(over(spent_nanos=812_400_000_000, days_left=1))
    assert line == "$812.40 of $1,000.00 (81.2 %) · ends today"


def test_tokens_without_a_price_are_told() -> None:
    told = alert(unpriced_tokens=4_700_000, coverage_shown=False, stale_nanos=0, price_note="")
    assert wording.coverage_line(told) == "no price for 4,700,000 LLM tokens"


def test_on_the_first_day_of_a_period_only_today_is_spoken_of() -> None:
    """What a run cost before midnight is no part of it, though that is less than 24 hours ago."""
    told = alert(period_start="2026-11-23", accruing_nanos=0)
    assert wording.recent_line(told) == "+$2,310 today, 92 % of it from hpo-resnet"
    rolling = replace(told, period="last 30 days")  # an episode that began today
    assert wording.recent_line(rolling) == "+$2,310 in the last 24 h, 92 % of it from hpo-resnet"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (alert(crossing_ms=None), "8 days left"),
        (alert(crossing_ms=at(27, 9), crossing_low_ms=None), "100 % expected Fri 27 Nov ~09:00"),
        (alert(crossing_high_ms=None), "100 % expected Tue 24 Nov ~16:00"),
        (alert(crossing_ms=at(27, 9), crossing_high_ms=None), "Fri 27 Nov ~09:00 (24 Nov at the earliest)"),
        (alert(crossing_low_ms=at(24, 1), crossing_high_ms=at(24, 23)), "100 % expected Tue 24 Nov ~16:00"),
        (alert(crossing_low_ms=at(24, 1), crossing_high_ms=at(30, 23) + 86_400_000), "(24 Nov-1 Dec)"),
        (alert(crossing_ms=at(23, 23, 40), crossing_low_ms=None), "100 % expected Tue 24 Nov ~00:00"),
        (alert(crossing_ms=None, days_left=0), "period over"),
        (alert(crossing_ms=None, period="last 30 days"), "(81.1 %)"),
    ],
)
def test_how_long_it_lasts(told: Alert, said: str) -> None:
    assert wording.amount_line(told).endswith(said)


def test_a_spent_budget_expects_no_crossing() -> None:
    assert "expected" not in wording.amount_line(over(crossing_ms=at(24, 9)))


def test_a_forecast_says_on_course_with_its_band() -> None:
    assert wording.forecast_line(forecast()) == "On course to reach $14,200 by Mon 30 Nov ($13,100 to $15,300)"
    assert wording.forecast_line(forecast(forecast_low_nanos=None)) == "On course to reach $14,200 by Mon 30 Nov"
    assert wording.forecast_line(alert(forecast_nanos=None)) == ""


def test_times_are_the_budgets_own() -> None:
    assert wording.moment(NOW, "Europe/Berlin") == "Mon 23 Nov 14:32"
    assert wording.moment(NOW, "Pacific/Auckland") == "Tue 24 Nov 02:32"


def test_what_is_unknown_is_left_out() -> None:
    bare = alert(
        recent_nanos=0,
        accruing_nanos=0,
        top=(),
        more_runs=0,
        stale_nanos=0,
        price_note="",
        owner=None,
        next_percent=None,
        priced_percent=100,
    )
    assert wording.recent_line(bare) == ""
    assert wording.more_line(bare, 3) == ""
    assert wording.coverage_line(bare) == "100 % of run time priced"
    assert wording.footer_line(bare) == "Nothing is stopped. No further threshold."


def test_a_run_without_a_name_is_its_id_and_a_finished_one_has_no_burn() -> None:
    ended = run(" ", running=False, per_hour_nanos=5, machine="")
    assert wording.run_line(ended, "USD") == f"{ended.run_uuid} · ended · $1,480"


def test_what_stands_behind_the_number_is_said() -> None:
    told = alert(crossed=("80%", "forecast 100%"), reason="reopened", stale=True, low_confidence=True)
    assert "crossed 80 %, forecast 100 % again" in wording.id_line(told)
    assert wording.id_line(told).endswith("a source could not be read since")
    assert "some rates assumed" in wording.coverage_line(told)


def test_a_tiny_budget_that_crossed_forty_thresholds_names_the_first_and_the_last() -> None:
    many = tuple(f"{percent}%" for percent in (80, 100, *range(775, 1775, 25)))
    line = wording.id_line(alert(crossed=(*many, "forecast 100%")))
    assert "crossed 80 %, 100 %, 775 %, 800 %, ..., 1750 %, forecast 100 %" in line


def test_states_say_who_when_until_and_why() -> None:
    said = wording.state_line(acknowledged(), "Europe/Berlin")
    assert said == "Acknowledged by anna, Mon 23 Nov 14:40 · quiet until the next threshold · “on it”"
    assert wording.state_line(RESOLVED, "Europe/Berlin") == (
        "Resolved, Mon 23 Nov 18:05 · the amount was raised to $20,000"
    )
    snoozed = AlertState(AlertStatus.SNOOZED, "ben", at(23, 15), "Tue 24 Nov 16:00")
    assert wording.state_line(snoozed, "Europe/Berlin") == (
        "Snoozed by ben, Mon 23 Nov 15:00 · quiet until Tue 24 Nov 16:00"
    )
    assert wording.state_line(wording.FIRING, "UTC") == ""


def test_subjects() -> None:
    assert wording.subject(message()) == "🟠 vision · November budget 81 % used (estimate)"
    assert wording.subject(message(), {"A-7F3K": RESOLVED}).startswith("✅")
    many = message(over(), alert(), forecast(), alert(title="nlp"), alert(title="ads"))
    assert wording.subject(many) == (
        "🔴 5 budgets crossed a threshold: fraud-detection 112 %, vision 81 %, analytics forecast 100 % and 2 more"
    )
    opening = replace(message(over()), kind=MessageKind.OPENING, title=wording.opening_title(12))
    assert wording.subject(opening) == (
        "🔴 Watching 12 budgets; these are already over a threshold: fraud-detection 112 %"
    )
    assert wording.subject(replace(opening, title="")).startswith("🔴 Watching your budgets; these")
    assert wording.subject(Message(MessageKind.OPERATOR, title="Source main\nis down")) == "Source main is down"


def test_one_line_is_short_and_visible() -> None:
    assert one_line("a\r\nb\tc  d") == "a b c d"
    assert hushed("a\tb\n\x1b[31m\x9b\u202ec") == "a\tb\n\ufffd[31m\ufffd\ufffdc"
    assert visible_json('"\x9b\u202e\u00e9"') == '"\\u009b\\u202e\u00e9"'
    assert one_line("\u202eevil\u2066 \x1b[31m\x00") == "evil [31m"
    assert one_line("👩‍👩‍👧 ok") == "👩‍👩‍👧 ok"
    assert one_line("x" * 5_000_000) == "x" * 79 + "…"
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"
