"""Draw docs/pictures/ with the program's own renderers: ``make pictures``.

Slack's messages are posted to the Slack emulator of the tests and photographed there; the mail and the page are shown
in a browser.
"""

from __future__ import annotations

import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alerter.core.alerts import Alert, AlertState
from alerter.core.budgets import Scope
from alerter.core.chart import of_alert
from alerter.core.money import NANOS
from alerter.core.views import AlertView, BudgetStatus, DeliveryView, PageData, SourceView, percent_of
from alerter.metrics import Metrics
from alerter.notifiers.email.pictures import charts
from alerter.notifiers.email.render import render as render_mail
from alerter.web.app import create_app
from alerter.web.server import WebServer
from alerter.web.services import WebServices
from docs.samples import ACKNOWLEDGED, FIRING, FRAUD, NOW, VISION, ZONE
from docs.slack_pictures import draw_slack
from tests.fixtures.slack_emulator import serve_local_slack
from tests.plugins.parts import chromium, why_no_chromium, why_no_local_slack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

FOLDER = Path(__file__).with_name("pictures")
MOST_BYTES = 150_000


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
    charts={each.id: made for each in (FRAUD, VISION) if (made := of_alert(each))},
)


def draw_mail(browser: Browser, folder: Path) -> None:
    """Show the alert's mail as clients with a light and a dark scheme do."""
    (png,) = charts(FIRING.alerts)
    html = render_mail(FIRING, {}, ["chart"]).html
    html = html.replace("cid:chart", f"data:image/png;base64,{b64encode(png).decode()}")
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 700, "height": 400})
        page.set_content(html)
        page.locator("table.page").screenshot(path=folder / f"mail-{scheme}.png")
        page.close()


def draw_page(browser: Browser, folder: Path) -> None:
    """Show the status page, served by the program's own server."""
    with serve_page() as url:
        page = browser.new_page(color_scheme="light", viewport={"width": 1100, "height": 700})
        page.goto(url)
        page.screenshot(path=folder / "page.png", full_page=True)
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


def main(folder: Path = FOLDER) -> int:
    """Draw every picture; return 1 where a part is missing or a picture is too large."""
    if missing := why_no_chromium() or why_no_local_slack():
        print(missing, file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used

    def shoot(part: Locator, name: str) -> None:
        part.screenshot(path=folder / f"{name}.png")

    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as place, serve_local_slack(Path(place)) as server:
            draw_slack(browser, server, shoot)
        draw_mail(browser, folder)
        draw_page(browser, folder)
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.png"))}
    for name, size in sizes.items():
        print(f"{name} {size // 1000} kB")
    return 1 if max(sizes.values()) > MOST_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
