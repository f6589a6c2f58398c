"""What ``alerter check`` says of how MLflow is used, as far as the ledger knows: tags, budgets, prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from alerter.core.ports import Finding
from alerter.core.text import one_line
from alerter.core.wording import share_words
from alerter.coverage import measure
from alerter.services import Services
from alerter.store.totals import View
from alerter.tag_report import TagReport, tag_report
from alerter.unpriced import top_unpriced, unpriced_models

_SHOWN = 3
_SHOWN_MODELS = 1_000
_LITTLE = 5
"""A share of so many percent is worth no warning."""

_WHERE = "`alerter tags` shows where they are"


def check_use(services: Services, now_ms: int) -> Iterator[Finding]:
    """Yield what a colleague would point out about tags and prices, as far as runs were read."""
    with services.windows.read() as view:
        found = tag_report(view, services.config)
        unpriced = list(_unpriced(services, view, now_ms)) if found.runs else []
    if not found.runs:
        yield Finding("ok", "runs", "none was read yet: their tags and prices are looked at after a first cycle")
        return
    yield from _lacking(found)
    yield from _unknown(found)
    yield from _alike(found)
    if found.uncounted:
        text = f"{share_words(found.uncounted.total(), found.runs)} of runs are in none"
        yield Finding("warning", "budgets", text, f"add one without `match:`, which counts everything; {_WHERE}")
    yield from unpriced


def _lacking(found: TagReport) -> Iterator[Finding]:
    for key, experiments in found.lacking.items():
        runs = experiments.total()
        subject, text = f"tag {key}", f"{share_words(runs, found.runs)} of runs lack it, and count as (untagged)"
        if runs * 100 <= found.runs * _LITTLE:
            yield Finding("ok", subject, text if runs else "every run has it")
            continue
        ways = "tag their experiments, or read it out of their names (`tags: {derive: ...}`)"
        yield Finding("warning", subject, text, f"{ways}; {_WHERE}")


def _unknown(found: TagReport) -> Iterator[Finding]:
    for each in found.tags:
        if each.unknown:
            text = f"{_runs(each.unknown)} with a value that is not known, and in (unknown): {_most(each.unknown)}"
            yield Finding("warning", f"tag {each.key}", text, "correct the runs, or add to `tags.known_values`")


def _alike(found: TagReport) -> Iterator[Finding]:
    for each in found.alike[:_SHOWN]:
        text = f"{one_line(each.value, 40)} and {one_line(each.like, 40)} look like one"
        yield Finding("warning", f"tag {each.key}", text, f"if they are: alerter.yaml, under tags: {each.line}")
    if (more := len(found.alike) - _SHOWN) > 0:
        yield Finding("warning", "tags", f"{more:,} more values look alike", "`alerter tags` lists them")


def _unpriced(services: Services, view: View, now_ms: int) -> Iterator[Finding]:
    """Yield what this month's run time lacks; else what older time of the current periods does; and tokens."""
    month = measure(view, now_ms)
    lacking = month.whole_ms - month.priced_ms
    remedy = "`alerter top --unpriced` names what, and the line that gives it a price"
    if lacking:
        text = f"{share_words(lacking, month.whole_ms)} of this month's run time has no price, and counts as nothing"
        yield Finding("warning", "prices", text, remedy)
    elif top_unpriced(view, services.pricer, services.config.usage_keys, now_ms, limit=1):
        text = "run time of current periods, before this month, has no price, and counts as nothing"
        yield Finding("warning", "prices", text, remedy)
    elif month.whole_ms:
        yield Finding("ok", "prices", "all run time of the current month and periods has a price")
    tokens = sum(each.tokens for each in unpriced_models(view, now_ms, limit=_SHOWN_MODELS))
    if tokens:
        yield Finding("warning", "prices", f"{tokens:,} LLM tokens have no price, and count as nothing", remedy)


def _runs(counted: Counter[str]) -> str:
    return f"{counted.total():,} run{'' if counted.total() == 1 else 's'}"


def _most(counted: Counter[str]) -> str:
    shown = ", ".join(one_line(value, 30) for value, _ in counted.most_common(_SHOWN))
    return f"{shown}, ..." if len(counted) > _SHOWN else shown
