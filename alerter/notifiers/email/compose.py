"""The e-mail itself: headers that thread, identify and classify it, and its two bodies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from alerter.core.alerts import Alert, AlertState, Message
from alerter.core.periods import utc
from alerter.notifiers.email.pictures import charts
from alerter.notifiers.email.render import render

_MAX_REFERENCES = 10


def compose(
    message: Message,
    states: Mapping[str, AlertState],
    key: str,
    *,
    sender: str,
    to: Sequence[str],
    sent_ms: int,
    before: str = "",
) -> EmailMessage:
    """Return a message ready to send; ``sent_ms`` (epoch) is its date.

    The Message-ID follows from the key alone, so that a second copy is recognised as one. ``before`` is that of the
    mail which it replies to.
    """
    domain = domain_of(sender)
    pictures = charts(message.alerts)
    cids = [f"chart-{number}-{_digest(key)}@{domain}" if png else "" for number, png in enumerate(pictures, 1)]
    made = render(message, states, cids)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = made.subject
    mail["Date"] = format_datetime(utc(sent_ms))
    mail["Message-ID"] = f"<{_digest(key)}@{domain}>"
    roots = [root_id(each, domain) for each in message.alerts[:_MAX_REFERENCES]]
    if earlier := [*dict.fromkeys(roots), *filter(None, [before])]:
        mail["In-Reply-To"] = before or earlier[0]
        mail["References"] = " ".join(earlier)
    mail["List-Id"] = f"Budget alerts <budget-alerts.{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
    mail.set_content(made.text)
    mail.add_alternative(made.html, subtype="html")
    _attach(mail, dict(zip(cids, pictures, strict=True)))
    return mail


def _attach(mail: EmailMessage, pictures: Mapping[str, bytes]) -> None:
    """Put pictures, by content id, beside the HTML: alternative(text, related(html, png))."""
    html = mail.get_body(("html",))
    for number, (cid, png) in enumerate(pictures.items(), 1):
        if png and isinstance(html, EmailMessage):
            html.add_related(png, "image", "png", cid=f"<{cid}>", disposition="inline", filename=f"chart-{number}.png")


def root_id(alert: Alert, domain: str) -> str:
    """Return the id under which mail clients gather everything on one (budget, scope, period)."""
    pairs = (part for pair in alert.scope for part in pair)
    return f"<budget-{_digest(json.dumps([alert.budget, alert.period_start, *pairs]))}@{domain}>"


def domain_of(sender: str) -> str:
    """Return the domain of an address such as ``Budgets <budgets@example.com>``."""
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]
