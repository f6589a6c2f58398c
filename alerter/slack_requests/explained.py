"""The evidence of an alert or a run, as few lines as answer "why does it say that much?"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from alerter.core.money import human, to_nanos
from alerter.core.usage import TokenCount
from alerter.notifiers.slack.escape import untrusted
from alerter.slack_requests.desk import Evidence
from alerter.slack_requests.reply import Reply, say

ROWS = 5
"""Runs, and rules, that one answer names."""


def explanation(found: Evidence | str) -> Reply:
    """Return evidence as a reply; a sentence why there is none is said as it is."""
    if isinstance(found, str):
        return say(f"⚠️ {found}")
    told = [*found["charges"], *([found["alert"]] if "alert" in found else [])]
    currency = next((str(each["currency"]) for each in told), "USD")
    head, reference = _alert(found, currency) if "alert" in found else _run(found, currency)
    gaps = len(found["gaps"])
    missing = f"{gaps} stretch{'' if gaps == 1 else 'es'} of use had no price and is not in it." if gaps else ""
    end = f"_Estimates. Every line of the ledger:_ `alerter explain {untrusted(reference, 40)}`"
    lines = (*head, *_rules(found["charges"], currency), missing, end)
    return Reply(tuple(line for line in lines if line))


def _alert(found: Evidence, currency: str) -> tuple[list[str], str]:
    alert = found["alert"]
    name = " / ".join((alert["budget"], *alert["scope"].values()))
    last = date.fromisoformat(alert["period"][1]) - timedelta(days=1)
    spent, amount, then = (_money(alert[key], currency) for key in ("spent", "amount", "spent_when_fired"))
    lines = [
        f"*{untrusted(name)}* · {alert['id']} · {alert['period'][0]} to {last}",
        f"*{spent}* of {amount}; it was {then} when it fired",
    ]
    if alert.get("restated") is not None:
        lines.append(f"restated by {_money(alert['restated'], currency)} since the period closed")
    runs = found["runs"]
    lines += [
        f"• {untrusted(each['name'] or each['run_id'])} · {_money(each['cost'], currency)}" for each in runs[:ROWS]
    ]
    return [*lines, _more(len(runs), "run")], str(alert["id"])


def _run(found: Evidence, currency: str) -> tuple[list[str], str]:
    run = found["run"]
    lines = [
        f"*{untrusted(run['name'] or run['run_id'])}* · {untrusted(run['status'])}",
        f"*{_money(run['cost'], currency)}* in all",
    ]
    if found.get("clamped") is not None:
        lines.append(f"its clock can't be believed ({found['clamped']}): the times were corrected")
    if found.get("suspected_stale") is not None:
        since, cost = _minute(found["suspected_stale"]["since"]), _money(found["suspected_stale"]["cost"], currency)
        lines.append(f"suspected stale: no sign of life after {since}; {cost} since then is not counted")
    for each in found["budgets"][:ROWS]:
        name = " / ".join((each["budget"], *each["scope"].values()))
        now = each.get("current")
        of_it = f", {_money(now['cost'], currency)} of it {_days(now)}" if now and now["cost"] != each["cost"] else ""
        lines.append(f"• {_money(each['cost'], currency)} counts for {untrusted(name)}{of_it}")
    return lines, str(run["run_id"])


def _minute(instant: str) -> str:
    """Return an ISO instant (UTC) as people read it."""
    return f"{instant[:10]} {instant[11:16]} UTC"


def _days(now: Mapping[str, Any]) -> str:
    """Return the first and the last day of a period."""
    first, end = now["period"]
    last = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
    return f"on {first}" if first == last else f"from {first} to {last}"


def _rules(charges: Iterable[Mapping[str, Any]], currency: str) -> list[str]:
    """Return what was charged, by rule and price, dearest first."""
    sums: dict[tuple[str, str, str, str], Decimal] = {}
    tokens: dict[tuple[str, str, str, str], TokenCount] = {}
    for each in charges:
        rule = "; ".join(filter(None, (str(each["rule"]), each.get("share"))))
        key = (str(each["meter"]), rule, str(each["unit_price"]), str(each["unit"]))
        sums[key] = sums.get(key, Decimal(0)) + Decimal(each["cost"])
        if each.get("tokens"):
            tokens[key] = tokens.get(key, TokenCount()) + TokenCount(**each["tokens"])
    ordered = sorted(sums, key=lambda key: -sums[key])
    lines = ["*Charged as*"] if ordered else ["Nothing was charged."]
    for key in ordered[:ROWS]:
        meter, rule, price, unit = map(untrusted, key)
        priced = str(tokens[key]) if key in tokens else f"{price} per {unit}"
        lines.append(f"• {meter} · {rule} · {priced} · {human(to_nanos(sums[key]), currency, cents=True)}")
    return [*lines, _more(len(ordered), "price")]


def _more(count: int, what: str) -> str:
    more = count - ROWS
    return f"and {more:,} more {what}{'' if more == 1 else 's'}" if more > 0 else ""


def _money(amount: str, currency: str) -> str:
    return human(to_nanos(Decimal(amount)), currency, cents=True)
