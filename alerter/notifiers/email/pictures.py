"""Charts as pictures: PNG, because hardly any mail client shows SVG."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from alerter.core import chart
from alerter.core.alerts import Alert

log = logging.getLogger(__name__)

MOST = 3
"""Charts of one mail; they come to some 10 kB each."""

_ZOOM = 2  # sharp on a phone, too


def charts(alerts: Sequence[Alert]) -> list[bytes]:
    """Return the charts of the first few alerts as PNG, ``b""`` for one that can't be drawn: the mail goes without."""
    return [_png(each) for each in alerts[:MOST]]


def _png(alert: Alert) -> bytes:
    try:
        made = chart.of_alert(alert)
        return rasterised(chart.draw(made)) if made else b""
    except Exception as error:  # noqa: BLE001 - a picture is no reason to keep an alert back
        log.warning("a mail goes without its chart id=%s error=%s", alert.id, type(error).__name__)
        return b""


def rasterised(svg: str) -> bytes:
    """Return a picture without text as PNG.

    Raises:
        ImportError: resvg_py is not installed, or not for this machine.
        ValueError: it is no SVG.
    """
    import resvg_py  # noqa: PLC0415 - a compiled library, for those who send mail

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=_ZOOM, skip_system_fonts=True))
