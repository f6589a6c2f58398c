from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from alerter.slack_requests.grammar import (
    TOP_DEFAULT,
    TOP_LIMIT,
    Ack,
    Command,
    Explain,
    Help,
    Listing,
    Snooze,
    Status,
    Top,
    Unack,
    Unclear,
    parse,
)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", Status()),
        ("   ", Status()),
        ("status", Status()),
        ("STATUS vision", Status("vision")),
        ('status "team  a / cc-1"', Status("team  a / cc-1")),
        ("status “vision”", Status("vision")),
        ("list", Listing()),
        ("list over 80", Listing(Decimal(80))),
        ("list over 80%", Listing(Decimal(80))),
        ("list OVER 99,5 %", Listing(Decimal("99.5"))),
        ("ack A-7F3K", Ack("A-7F3K")),
        ("ack `A-7F3K`", Ack("A-7F3K")),
        ("ack fraud detection", Ack("fraud detection")),
        ("ack A-7F3K until tomorrow 9:00", Ack("A-7F3K", "tomorrow 9:00")),
        ("ack A-7F3K -- we know: hpo ends tonight", Ack("A-7F3K", None, "we know: hpo ends tonight")),
        ("ack A-7F3K — on it", Ack("A-7F3K", None, "on it")),
        ("ack A-7F3K --on it", Ack("A-7F3K", None, "on it")),
        ("ack vision until 1500 -- until the paper -- really", Ack("vision", "1500", "until the paper -- really")),
        ('ack "run until dawn" until 8h', Ack("run until dawn", "8h")),
        ("ack until", Ack("until")),
        ("ack gpu--spike", Ack("gpu--spike")),
        ("unack A-7F3K", Unack("A-7F3K")),
        ("snooze A-7F3K 4h", Snooze("A-7F3K", "4h")),
        ("snooze fraud detection 2d -- moving", Snooze("fraud detection", "2d", "moving")),
        ("snooze vision period", Snooze("vision", "period")),
        ("snooze vision tomorrow 9:00", Snooze("vision", "tomorrow 9:00")),
        ("snooze vision Monday", Snooze("vision", "Monday")),
        ("snooze vision until 2026-12-01 16:00", Snooze("vision", "2026-12-01 16:00")),
        ("snooze vision 2026-12-01 16:00", Snooze("vision", "2026-12-01 16:00")),
        ('snooze "team 4h" 1w', Snooze("team 4h", "1w")),
        ("snooze period until 1h", Snooze("period", "1h")),
        ("explain A-7F3K", Explain("A-7F3K")),
        ("explain trial 14", Explain("trial 14")),
        ("top", Top()),
        ("top 3", Top(3)),
        ("top vision", Top(TOP_DEFAULT, "vision")),
        ("top 3 vision lab", Top(3, "vision lab")),
        ('top "2024 budget"', Top(TOP_DEFAULT, "2024 budget")),
        ("help", Help()),
        ("status\nvision", Status("vision")),
    ],
)
def test_what_a_person_types_is_understood(text: str, meaning: Command) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("statsu", "`status`"),
        ("acknowledge A-1", "`ack`"),
        ("lsit", "`list`"),
        ("ack", "Which alert?"),
        ("ack -- on it", "Which alert?"),
        ("ack A-1 until", "Until when?"),
        ("unack", "Which alert?"),
        ("snooze", "Which alert?"),
        ("snooze 4h", "Which alert?"),
        ("snooze A-1", "For how long?"),
        ("snooze A-1 -- later", "For how long?"),
        ("snooze fraud detection", "For how long?"),
        ("snooze A-1 until", "For how long?"),
        ("snoze A-1 4h", "`snooze`"),
        ("explain", "Which alert?"),
        ("exlpain A-1", "`explain`"),
        ("list over", "list over 80"),
        ("list over a lot", "list over 80"),
        ("list under 5", "list over 80"),
        ("list over ٨٠", "list over 80"),
        ("top 0", f"1 to {TOP_LIMIT}"),
        ("top 999999999", f"1 to {TOP_LIMIT}"),
    ],
)
def test_what_is_not_understood_gets_a_hint(text: str, hint: str) -> None:
    answer = parse(text)
    assert isinstance(answer, Unclear)
    assert hint in answer.problem


@pytest.mark.parametrize("verb", ["stop", "delete", "<!channel>"])
def test_an_unknown_verb_is_repeated_for_the_person(verb: str) -> None:
    answer = parse(f"{verb} A-1")
    assert isinstance(answer, Unclear)
    assert answer.word == verb


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    assert isinstance(parse(text), Command)


SIGNS = st.characters(codec="ascii", min_codepoint=33, exclude_characters='"`')
NAMES = st.text(SIGNS, min_size=1, max_size=30).filter(lambda name: not name.startswith("--"))
NOTES = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=60).map(str.strip)


@given(name=NAMES, until=st.none() | NAMES, note=NOTES)
def test_a_quoted_name_its_end_and_its_note_come_out_as_they_went_in(name: str, until: str | None, note: str) -> None:
    text = f'ack "{name}"' + (f' until "{until}"' if until else "") + (f" -- {note}" if note else "")
    assert parse(text) == Ack(name, until, note)
