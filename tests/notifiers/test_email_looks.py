"""A mail in a real browser, as clients of a light and of a dark scheme show it: it can be read, on a phone too."""

from typing import TYPE_CHECKING, Any, Literal

import pytest

from alerter.core.alerts import AlertState, AlertStatus, Message, MessageKind
from alerter.notifiers.email.render import render
from tests.digests.sample import MESSAGE as DIGEST
from tests.notifiers.samples import DAYS, HOSTILE, NOW, RESOLVED, acknowledged, alert, forecast, hostile, message, over

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.needs_chromium

SNOOZED = AlertState(AlertStatus.SNOOZED, "anna", NOW, "Tue 24 Nov 09:00")
MAILS: dict[str, tuple[Message, dict[str, AlertState]]] = {
    "firing": (message(alert(burn_up=DAYS)), {}),
    "reminder": (message(over(reason="repeat", repeats=2)), {}),
    "acknowledged": (message(alert(burn_up=DAYS)), {"A-7F3K": acknowledged()}),
    "resolved": (message(), {"A-7F3K": RESOLVED}),
    "group": (message(over(), alert(), forecast()), {"A-9QXM": acknowledged(), "A-7F3K": SNOOZED}),
    "digest": (DIGEST, {}),
    "notice": (Message(MessageKind.OPERATOR, title="MLflow can't be read", text="since 14:00\nsource main"), {}),
    "hostile": (message(*(hostile(text) for text in HOSTILE)), {}),
}
LEAST = 4.5
"""WCAG's contrast of text."""

# Yields (contrast, words) of every text that is seen; the squares of a legend are pictures.
FAINT = """
least => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const found = parts(getComputedStyle(node).backgroundColor);
      if ((found[3] ?? 1) > 0) return found;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const words = node.data.replace(/[\\s\\u00a0\\u25a0]/g, ""), style = getComputedStyle(node.parentElement);
    if (!words || style.fontSize === "0px") continue;
    const [a, b] = [light(parts(style.color)), light(ground(node.parentElement))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) faint.push([contrast, node.data]);
  }
  return faint;
}
"""


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("name", MAILS)
def test_every_word_can_be_read(browser: "Browser", name: str, look: Literal["light", "dark"]) -> None:
    told, states = MAILS[name]
    html = render(told, states, ["chart"]).html
    for width in (700, 360):
        size: Any = {"width": width, "height": 700}
        page = browser.new_page(color_scheme=look, viewport=size)
        page.set_content(html)
        assert page.evaluate(FAINT, LEAST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(242, 244, 247)", "dark": "rgb(22, 24, 28)"}[look]
        page.close()


def test_the_measure_finds_what_is_faint(browser: "Browser") -> None:
    page = browser.new_page()
    page.set_content("<body style='background:#fff'><p style='color:#bbb'>faint</p><p style='color:#333'>clear</p>")
    assert [words for _, words in page.evaluate(FAINT, LEAST)] == ["faint"]
    page.close()
