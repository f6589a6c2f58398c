"""Draw docs/pictures/ with the program's own renderers: ``make pictures``.

Slack's messages are posted to the Slack emulator of the tests and photographed there; the mail and the page are shown
in a browser. The figures are made up and agree with each other and with the built-in catalog.
"""

from __future__ import annotations

import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from alerter.core.alerts import Alert, AlertState, AlertStatus, Message, MessageKind, RunEvidence
from alerter.core.budgets import Basis, Scope
from alerter.core.money import NANOS
from alerter.core.ports import Target
from alerter.core.views import AlertView, BudgetStatus, DeliveryView, PageData, SourceView, percent_of
from alerter.core.wording import opening_title
from alerter.metrics import Metrics
from alerter.notifiers.email.pictures import charts
from alerter.notifiers.email.render import render as render_mail
from alerter.notifiers.slack import SlackNotifier
from alerter.web.app import create_app
from alerter.web.server import WebServer
from alerter.web.services import WebServices
from tests.digests.sample import MESSAGE as DIGEST
from tests.fixtures.slack_emulator import SlackServer, serve_local_slack
from tests.plugins.parts import chromium, why_no_chromium, why_no_local_slack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).with_name("pictures")
MOST_BYTES = 150_000
ZONE = "Europe/Berlin"
PUBLIC = "https://budgets.example.com"


def at(day: int, hour: int, minute: int = 0) -> int:
    """Return a moment of November 2026 in Berlin (UTC+1), as epoch milliseconds."""
    return round(datetime(2026, 11, day, hour - 1, minute, tzinfo=UTC).timestamp() * 1000)


NOW = at(23, 14, 32)


def run(name: str, machine: str, cost: int, per_hour: str = "0") -> RunEvidence:
    """Return a run; one that costs something per hour is running."""
    units, _, cents = per_hour.partition(".")
    burn = int(units) * NANOS + int(cents.ljust(2, "0")) * NANOS // 100
    url = f"https://mlflow.example.com/#/experiments/7/runs/{name}"
    return RunEvidence(name, name, url, machine, burn > 0, cost * NANOS, burn)


FIRST = date(2026, 11, 1).toordinal()
BY_DAY = (2, 3, 3, 9, 15, 16, 16, 17, 22, 28, 31, 33, 34, 34, 35, 40, 46, 50, 58, 63, 68, 74, 81)
"""Percent of team vision's amount that were spent by the end of each day."""

VISION = Alert(
    id="A-7F3K",
    budget="every-team",
    title="vision",
    scope=(("team", "vision"),),
    timezone=ZONE,
    period="November",
    period_start="2026-11-01",
    period_end="2026-12-01",
    basis=Basis.ACTUAL,
    percent=80,
    crossed=("80%",),
    currency="USD",
    amount_nanos=12_000 * NANOS,
    spent_nanos=9_740 * NANOS,
    accruing_nanos=2_600 * NANOS,
    as_of_ms=NOW,
    days_left=8,
    reason="first",
    forecast_nanos=14_900 * NANOS,
    forecast_low_nanos=13_700 * NANOS,
    forecast_high_nanos=16_100 * NANOS,
    crossing_ms=at(24, 10, 50),
    crossing_low_ms=at(24, 5),
    crossing_high_ms=at(25, 2),
    recent_nanos=2_310 * NANOS,
    recent_run="trial-14",
    recent_share=64,
    top=(
        run("trial-14", "4 x p4d.24xlarge (from num_workers)", 1_480, "87.83"),
        run("hpo-resnet", "p4d.24xlarge", 1_120, "21.96"),
        run("baseline", "8 x g5.12xlarge", 640),
    ),
    more_runs=27,
    priced_percent=94,
    price_note="region assumed: us-east-1",
    next_percent=100,
    owner="@vision-lead",
    page_url=PUBLIC,
    burn_up=tuple((day, percent * 120 * NANOS) for day, percent in enumerate(BY_DAY, FIRST)),
)
FRAUD = replace(
    VISION,
    id="A-9QXM",
    budget="fraud-detection",
    title="fraud-detection",
    scope=(),
    percent=100,
    crossed=("80%", "100%"),
    amount_nanos=5_000 * NANOS,
    spent_nanos=5_632 * NANOS,
    accruing_nanos=0,
    crossing_ms=None,
    recent_nanos=0,
    top=(run("xgboost-final", "4 x m5.24xlarge", 910),),
    more_runs=112,
    priced_percent=100,
    next_percent=125,
    owner=None,
)
ANALYTICS = replace(
    VISION,
    id="A-2HDC",
    title="analytics",
    scope=(("team", "analytics"),),
    basis=Basis.FORECAST,
    percent=100,
    crossed=("forecast 100%",),
    amount_nanos=2_000 * NANOS,
    spent_nanos=1_270 * NANOS,
    forecast_nanos=2_240 * NANOS,
    crossing_ms=at(28, 12),
    crossing_low_ms=at(27, 9),
    crossing_high_ms=at(30, 11),
    top=(run("nightly-features", "m5.4xlarge", 214, "0.77"),),
    more_runs=48,
)
FIRING = Message(MessageKind.ALERT, (VISION,), at_ms=NOW)
OPENING = Message(MessageKind.OPENING, (FRAUD, VISION, ANALYTICS), title=opening_title(6), at_ms=NOW)
ACKNOWLEDGED = AlertState(
    AlertStatus.ACKNOWLEDGED, "slack:U01ANNA (anna)", at(23, 14, 40), "the next threshold", "the sweep ends tonight"
)


def status(
    budget: str, spent: int, amount: int, forecast: int, runs: int, *, running: int = 0, scope: Scope = ()
) -> BudgetStatus:
    """Return a monthly budget's line of the page; ``running`` of what is spent is still accruing."""
    return BudgetStatus(
        budget=budget,
        scope=scope,
        period_kind="monthly",
        period="November",
        period_start="2026-11-01",
        period_end="2026-12-01",
        timezone=ZONE,
        currency="USD",
        amount_nanos=amount * NANOS,
        spent_nanos=spent * NANOS,
        settled_nanos=(spent - running) * NANOS,
        accruing_nanos=running * NANOS,
        percent=percent_of(spent, amount),
        forecast_nanos=forecast * NANOS,
        runs=runs,
    )


def view(alert: Alert, state: AlertState, *ways: str) -> AlertView:
    """Return an alert's card of the page."""
    return AlertView(
        id=alert.id,
        budget=alert.budget,
        scope=alert.scope,
        period=alert.period,
        period_start=alert.period_start,
        basis=alert.basis,
        threshold=alert.percent,
        currency=alert.currency,
        amount_nanos=alert.amount_nanos,
        spent_nanos=alert.spent_nanos,
        status=state.status,
        fired_at_ms=NOW - 300_000,
        acknowledged_by=state.by,
        until=state.until,
        note=state.note,
        deliveries=tuple(DeliveryView("ml-costs", way, "sent", 1) for way in ways),
    )


PAGE = PageData(
    now_ms=NOW + 40_000,
    as_of_ms=NOW,
    stale=False,
    version="0.1.0",
    timezone=ZONE,
    budgets=(
        status("fraud-detection", 5_632, 5_000, 7_100, 113),
        status("every-team", 9_740, 12_000, 14_900, 30, running=2_600, scope=(("team", "vision"),)),
        status("every-team", 1_270, 2_000, 2_240, 49, running=214, scope=(("team", "analytics"),)),
        status("every-team", 310, 2_000, 420, 18, scope=(("team", "(untagged)"),)),
    ),
    alerts=(view(FRAUD, ACKNOWLEDGED, "slack", "email"), view(VISION, AlertState(), "slack", "email")),
    sources=(SourceView("main", NOW),),
)


def draw_slack(browser: Browser, server: SlackServer) -> None:
    """Post an alert, acknowledge it, post an opening message and a digest; photograph each."""
    slack = SlackNotifier(server.token, base_url=server.base_url, pace=0, stop=Event())
    target = Target("ml-costs", {"channel": "#ml-costs"})
    page = browser.new_page(viewport={"width": 1000, "height": 1400}, device_scale_factor=1.25)
    page.goto(server.url)
    page.get_by_text("ml-costs").first.click()
    receipt = slack.send(target, FIRING, {}, "picture-1")
    _shoot_message(page, "Acknowledge", 0, "slack-alert")
    slack.update(target, receipt, FIRING, {VISION.id: ACKNOWLEDGED}, "picture-1")
    _shoot_message(page, "Acknowledged by", 0, "slack-acknowledged")
    slack.send(target, OPENING, {}, "picture-2")
    _shoot_message(page, "Watching", 1, "slack-opening")
    slack.send(target, DIGEST, {}, "picture-3")
    _shoot_message(page, "Budgets, by", 2, "slack-digest")
    page.close()


def _shoot_message(page: Page, words: str, number: int, name: str) -> None:
    message = page.locator(".msg").nth(number)
    message.get_by_text(words).first.wait_for()
    # The clock is the emulator's own and would change the picture each time.
    page.add_style_tag(content=".msg { width: 720px; padding: 14px !important } .msg-time { visibility: hidden }")
    message.screenshot(path=_path(name))


def draw_mail(browser: Browser) -> None:
    """Show the alert's mail as clients with a light and a dark scheme do."""
    (png,) = charts(FIRING.alerts)
    html = render_mail(FIRING, {}, ["chart"]).html
    html = html.replace("cid:chart", f"data:image/png;base64,{b64encode(png).decode()}")
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 700, "height": 400})
        page.set_content(html)
        page.locator("table.page").screenshot(path=_path(f"mail-{scheme}"))
        page.close()


def draw_page(browser: Browser) -> None:
    """Show the status page, served by the program's own server."""
    with serve_page() as url:
        page = browser.new_page(color_scheme="light", viewport={"width": 1100, "height": 700})
        page.goto(url)
        page.screenshot(path=_path("page"), full_page=True)
        page.close()


@contextmanager
def serve_page() -> Iterator[str]:
    """Serve the status page on this machine."""
    services = WebServices(
        page=lambda: PAGE,
        status=dict,
        alerts=dict,
        readiness=list,
        metrics=Metrics("0"),
        clock=lambda: NOW / 1000,
    )
    server = WebServer(create_app(services), "127.0.0.1", 0)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def _path(name: str) -> Path:
    return FOLDER / f"{name}.png"


def main() -> int:
    """Draw every picture; return 1 where a part is missing or a picture is too large."""
    if missing := why_no_chromium() or why_no_local_slack():
        print(missing, file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used

    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as folder, serve_local_slack(Path(folder)) as server:
            draw_slack(browser, server)
        draw_mail(browser)
        draw_page(browser)
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.glob("*.png"))}
    for name, size in sizes.items():
        print(f"docs/pictures/{name} {size // 1000} kB")
    return 1 if max(sizes.values()) > MOST_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
