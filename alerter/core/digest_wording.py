"""The words of a digest, shared by every way of telling it; see `alerter.core.wording`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from alerter.core.alerts import Digest, DigestBudget, Message, RunEvidence
from alerter.core.money import human
from alerter.core.text import joined
from alerter.core.wording import PLAIN, Style, moment, percent, run_line, without_price
from alerter.core.wording.style import day_words

_DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a digest: a heading over lines, or over runs where a medium makes links of their names.

    ``lines`` come first, then the runs, then ``rest``: what is left out.
    """

    heading: str
    lines: tuple[str, ...] = ()
    runs: tuple[RunEvidence, ...] = ()
    rest: str = ""


def digest_title(digest: Digest) -> str:
    """Return ``Weekly digest, Mon 23 Nov: 7 budgets, 2 over or on course to be``."""
    count = len(digest.budgets) + digest.more_budgets
    budgets = f"{count:,} budget{'' if count == 1 else 's'}"
    over = f"{digest.over:,} over or on course to be" if digest.over else "none on course to be over"
    return f"{digest.every.capitalize()} digest, {_day(digest.day)}: {budgets}, {over}"


def parts(digest: Digest, style: Style = PLAIN) -> Iterator[Part]:
    """Yield the parts of a digest that have something to say, in the order in which people read them."""
    if digest.budgets:
        rest = f"and {digest.more_budgets:,} more" if digest.more_budgets else ""
        lines = tuple(budget_line(each, digest.currency, style) for each in digest.budgets)
        yield Part("Budgets, by what is expected", lines, rest=rest)
    if digest.movers:
        lines = tuple(mover_line(each, digest, style) for each in digest.movers)
        yield Part(f"Spent more {_span(digest)}", lines)
    if digest.top:
        yield Part(f"Top runs {_span(digest)}", runs=digest.top, rest=_more_runs(digest.more_runs))
    if digest.stale:
        left = _more_runs(digest.stale_runs - len(digest.stale))
        amount = human(digest.stale_nanos, digest.currency)
        yield Part(f"Suspected stale: {amount}, not counted", runs=digest.stale, rest=left)


def budget_line(budget: DigestBudget, currency: str, style: Style = PLAIN) -> str:
    """Return ``🟠 vision · November · $9,740 of $12,000 (81.2 %) · $14,200 expected (118 %) · 8 days left``."""
    spent, amount = (human(each, currency) for each in (budget.spent_nanos, budget.amount_nanos))
    expected = ""
    if budget.expected_nanos is not None:
        share = percent(budget.expected_nanos, budget.amount_nanos, places=0)
        expected = f"{human(budget.expected_nanos, currency)} expected ({share})"
    return joined(
        f"{_sign(budget)} {style.strong(style.text(budget.title))}",
        style.text(budget.period),
        f"{spent} of {amount} ({percent(budget.spent_nanos, budget.amount_nanos)})",
        expected,
        _left(budget),
        f"{human(budget.stale_nanos, currency)} suspected stale" if budget.stale_nanos else "",
        without_price(budget.unpriced_tokens),
    )


def mover_line(budget: DigestBudget, digest: Digest, style: Style = PLAIN) -> str:
    """Return ``vision · +$2,310: $3,510, after $1,200 the week before``."""
    rise, now, before = (
        human(each, digest.currency)
        for each in (budget.moved_nanos - budget.before_nanos, budget.moved_nanos, budget.before_nanos)
    )
    earlier = "the day before" if digest.every == _DAILY else "the week before"
    return f"{style.strong(style.text(budget.title))} · +{rise}: {now}, after {before} {earlier}"


def digest_notes(digest: Digest) -> list[str]:
    """Return the fine print: what is missing, how much of it had a price, and how fresh it is."""
    missing = [f"⚠️ Incomplete: {'; '.join(digest.missing)}. More may have been spent."] if digest.missing else []
    facts = joined(
        f"{digest.priced_percent} % of run time priced",
        "some rates assumed" if digest.low_confidence else "",
        "all amounts are estimates",
        f"data of {moment(digest.as_of_ms, digest.timezone)}",
    )
    return [*missing, facts]


def digest_lines(digest: Digest) -> list[str]:
    """Return a digest as plain lines without its title; an empty line stands before each heading."""
    lines: list[str] = []
    for part in parts(digest):
        runs = [f" {n}. {run_line(each, digest.currency)}" for n, each in enumerate(part.runs, 1)]
        rest = [f"    {part.rest}"] if part.rest else []
        lines += ["", part.heading, *(f"  {each}" for each in part.lines), *runs, *rest]
    return [*lines, "", *digest_notes(digest)]


def body_lines(message: Message) -> list[str]:
    """Return what stands under the title of a message without alerts, line by line: a notice, a digest."""
    return [*message.text.splitlines(), *(digest_lines(message.digest) if message.digest else ())]


def is_over(budget: DigestBudget) -> bool:
    """Whether a scope has spent its amount, or is expected to."""
    return max(budget.spent_nanos, budget.expected_nanos or 0) >= budget.amount_nanos


def _sign(budget: DigestBudget) -> str:
    if budget.spent_nanos >= budget.amount_nanos:
        return "🔴"
    if is_over(budget):
        return "📈"
    return "🟠" if budget.spent_nanos * 100 >= budget.amount_nanos * 80 else "🟢"


def _left(budget: DigestBudget) -> str:
    if budget.period.startswith("last "):  # a rolling window never ends
        return ""
    return "ends today" if budget.days_left == 1 else f"{budget.days_left} days left"


def _span(digest: Digest) -> str:
    return "yesterday" if digest.every == _DAILY else f"in the {digest.days} days before {_day(digest.day)}"


def _more_runs(count: int) -> str:
    return f"and {count:,} more run{'s' if count > 1 else ''}" if count > 0 else ""


def _day(iso: str) -> str:
    return day_words(date.fromisoformat(iso))
