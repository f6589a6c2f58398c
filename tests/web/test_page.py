"""The status page: its words by themselves, and its looks in a real browser."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from alerter.core.alerts import AlertStatus
from alerter.core.budgets import Basis
from alerter.core.chart import draw, of_alert
from alerter.core.money import NANOS
from alerter.core.periods import Period, PeriodKind
from alerter.core.views import PageData, Restatement, SourceView, UndeliveredView
from alerter.web.app import create_app
from alerter.web.page import ago, cards_of, days, person, render_login, render_status, tone, width
from alerter.web.server import WebServer
from alerter.web.services import WebServices
from tests.fixtures.window_data import ACKED, BUDGETS, FIRING, NOW_MS, PAGE, SPIKE, VISION, budget, services
from tests.notifiers.samples import DAYS, alert

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVIL = '<script>document.title="pwned"</script><img src=x onerror=alert(1)>"\'&'
RTL = "\u202eevil \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"
LONG = "x" * 4_000


def hostile() -> PageData:
    names = (EVIL, RTL, LONG, "emoji 👩‍👩‍👧 \ud800", "", " \n\t ")
    rows = [budget(name or "b", 5, 10, scope=(("team" + name[:50], name),), forecast=11) for name in names]
    alerts = [
        replace(ACKED, id=f"A-{n}", budget=name, scope=(("k", name),), acknowledged_by=f"slack:U1 ({name})", note=name)
        for n, name in enumerate(names)
    ]
    undelivered = [UndeliveredView(name, name, name, 1, name, NOW_MS, name) for name in names]
    return replace(
        PAGE,
        budgets=rows,
        alerts=alerts,
        undelivered=undelivered,
        sources=[SourceView(name, None, name) for name in names],
        problems=names,
        stale=True,
    )


def test_the_page_says_what_matters() -> None:
    html = render_status(PAGE)
    for words in ("$9,740", "81.1 %", "$14,200", "every-team", "anna (Slack)", "A-7F3K", "SMTP 451", "14:31"):
        assert words in html
    assert html.index("gpu-spike") < html.index("fraud-detection")


def test_figures_say_what_is_counted() -> None:
    """A budget with ``group_by`` is one budget, as messages count; a rolling one will never have a forecast."""
    teams = [budget("every-team", 5, 10, scope=(("team", each),)) for each in ("a", "b")]
    rolling = replace(budget("window", 5, 10), period_kind="rolling", forecast_nanos=None)
    html = render_status(replace(PAGE, budgets=[*teams, rolling]))
    assert "2</b> budgets watched" in html
    assert html.count('<span class="none">none</span>') == 1


def test_what_is_spent_up_looks_so_on_its_card() -> None:
    spent = replace(VISION, spent_nanos=VISION.amount_nanos)
    looks = [render_status(replace(PAGE, alerts=[FIRING], budgets=[each])) for each in (VISION, spent)]
    assert ['class="card firing over"' in each for each in looks] == [False, True]


def test_an_alert_shows_its_period_as_a_chart() -> None:
    made = of_alert(alert(burn_up=DAYS))
    assert made is not None
    html = render_status(replace(PAGE, charts={"A-7F3K": made}))
    assert html.count("<figure") == 1
    assert draw(made) in html
    assert html.index(">vision<") < html.index("<figure") < html.index('id="A-7F3K"') < html.index('id="A-2MQ9"')


def test_all_that_is_told_of_one_period_is_one_card_which_shows_the_present() -> None:
    """Two thresholds of one budget were two cards, each with the amount of when it was told."""
    lower = replace(FIRING, id="A-LOW0", threshold=50, status=AlertStatus.ACKNOWLEDGED, acknowledged_by="cli:ops")
    now = replace(VISION, spent_nanos=9_800 * NANOS)
    data = replace(PAGE, alerts=[lower, ACKED, FIRING], budgets=[now])
    cards = cards_of(data)
    assert [[each.id for each in card.alerts] for card in cards] == [["A-7F3K", "A-LOW0"], ["A-2MQ9"]]
    html = render_status(data)
    assert html.count("<article") == 2
    assert html.count("$9,800") == 2  # the card and the row
    assert "$9,740" not in html
    assert html.count("after 3 attempts") == 1
    for words in ('id="A-7F3K"', 'id="A-LOW0"', "alerter ack A-7F3K", "1</b> alert firing", "1</b> acknowledged"):
        assert words in html


def test_a_period_that_is_over_and_a_single_run_show_what_was_told() -> None:
    past = replace(FIRING, period="October", period_start="2026-10-01")
    run = replace(FIRING, id="A-RUN0", basis=Basis.RUN, run="4f2a", run_name="hpo", spent_nanos=210 * NANOS)
    over, single = cards_of(replace(PAGE, alerts=[past, run]))
    assert (over.period, over.spent_nanos, over.now) == ("October", FIRING.spent_nanos, None)
    assert (single.first.title, single.spent_nanos) == ("vision · hpo", 210 * NANOS)


def test_a_closed_period_that_was_restated_stands_beside_what_was_spent() -> None:
    october = Period(PeriodKind.MONTHLY, date(2026, 10, 1), date(2026, 11, 1))
    past = Restatement(october, NOW_MS, 812_400_000_000, 770_300_000_000)
    html = render_status(replace(PAGE, budgets=[replace(VISION, restated=[past])]))
    assert "<small>October restated by -$42.10 since it closed</small>" in html


def test_before_the_first_read_and_without_budgets_it_says_so() -> None:
    html = render_status(PageData(now_ms=NOW_MS, as_of_ms=None, stale=False, version="0.1.0"))
    for words in ("No data yet", "No budget has a current period", "Nothing is firing"):
        assert words in html
    assert "Not delivered" not in html


def test_stale_data_is_marked_at_the_top_and_in_its_row() -> None:
    html = render_status(replace(PAGE, stale=True, budgets=[replace(VISION, stale=True)]))
    assert "A source could not be read since: more may have been spent" in html
    assert "≥" in html


def test_untrusted_text_is_escaped_and_cut() -> None:
    html = render_status(hostile())
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html
    assert "x" * 500 not in html
    html.encode()  # no lone surrogate is left


def test_a_thousand_budgets_are_cut_with_a_way_to_the_rest() -> None:
    html = render_status(replace(PAGE, budgets=[budget(f"b{n}", n, 1_000) for n in range(1_200)]))
    assert "and 700 more" in html
    assert "b1199" in html
    assert ">b3<" not in html


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (200_000, "2 days ago"),
    ],
)
def test_ages(seconds: int, words: str) -> None:
    assert ago(NOW_MS - seconds * 1_000, NOW_MS) == words


def test_periods_tones_and_widths() -> None:
    assert days("2026-11-01", "2026-12-01") == "1 Nov - 30 Nov"
    assert days("2026-11-23", "2026-11-24") == "23 Nov"
    assert days("2026-04-01", "2027-04-01") == "1 Apr 2026 - 31 Mar 2027"
    assert [tone(each) for each in (SPIKE, VISION, *BUDGETS[2:])] == ["over", "high", "ahead", "fine"]
    assert (width(VISION.spent_nanos, VISION), width(SPIKE.spent_nanos, SPIKE), width(None, VISION)) == (
        "81.1%",
        "100%",
        "0%",
    )
    assert width(-5 * NANOS, VISION) == "0%"  # a correction larger than what was spent
    assert replace(FIRING, basis=Basis.FORECAST, threshold=100).crossed == "forecast 100 %"
    assert person("cli:ops") == "cli:ops"


def test_the_login_form_needs_no_script() -> None:
    assert 'method="post"' in render_login(failed=False)
    assert "That is not the token" in render_login(failed=True)


class Window:
    """The page in a browser, with all that the browser complained about."""

    def __init__(self, browser: "Browser", windows: WebServices, **context: Any) -> None:  # noqa: ANN401 - Playwright's
        self.server = WebServer(create_app(windows), "127.0.0.1", 0)
        self.context = browser.new_context(**context)
        self.complaints: list[str] = []
        self.foreign: list[str] = []

    def __enter__(self) -> "Page":
        self.server.start()
        page = self.context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda asked: self.foreign.append(asked.url))
        page.goto(self.server.url)
        return page

    def __exit__(self, *_: object) -> None:
        self.context.close()
        self.server.stop()
        assert not self.complaints
        assert all(url.startswith(self.server.url) for url in self.foreign)


@pytest.mark.needs_chromium
@pytest.mark.parametrize(
    ("shown", "look", "size"),
    [
        ("usual", "light", (1280, 900)),
        ("usual", "dark", (390, 844)),
        ("hostile", "light", (320, 568)),
        ("hostile", "dark", (1280, 900)),
    ],
)
def test_it_fits_the_screen_in_every_look(
    browser: "Browser",
    tmp_path: Path,
    look: Literal["light", "dark"],
    size: tuple[int, int],
    shown: str,
) -> None:
    data = PAGE if shown == "usual" else hostile()
    viewport: Any = {"width": size[0], "height": size[1]}
    with Window(browser, services(data), color_scheme=look, viewport=viewport) as page:
        assert page.title().endswith("Budgets")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        picture = tmp_path / "page.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 10_000


@pytest.mark.needs_chromium
def test_bars_are_as_long_as_what_they_show(browser: "Browser") -> None:
    with Window(browser, services(), viewport={"width": 1280, "height": 900}) as page:
        row = page.locator("tr", has=page.get_by_role("rowheader", name="vision"))
        spent, track = (row.locator(f"rect.{name}").bounding_box() for name in ("spent", "track"))
        assert spent is not None
        assert track is not None
        assert spent["width"] / track["width"] == pytest.approx(0.811, abs=0.005)
        assert page.get_by_role("img", name="81.1 % used").is_visible()


@pytest.mark.needs_chromium
def test_a_token_is_asked_for_and_remembered(browser: "Browser") -> None:
    windows = replace(services(), token=lambda: "open-sesame")
    window = Window(browser, windows)
    with window as page:
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button").click()
        assert page.get_by_role("alert").inner_text() == "That is not the token."
        page.get_by_label("Token").fill("open-sesame")
        page.get_by_role("button").click()
        page.get_by_role("heading", name="Where budgets stand").wait_for()
        assert "sesame" not in page.url
        page.goto(f"{window.server.url}/#A-7F3K")
        assert page.locator("#A-7F3K").is_visible()
        window.complaints.clear()  # the browser reports each 401 that it was given


def test_resolved_alerts_are_not_counted_as_anything() -> None:
    html = render_status(replace(PAGE, alerts=[replace(FIRING, status=AlertStatus.RESOLVED)]))
    assert "Nothing is firing" in html
