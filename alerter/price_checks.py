"""What ``alerter check`` says of prices: catalogs, currencies, and what runs were priced by that is old or guessed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from sqlalchemy import Connection

from alerter.config import Config
from alerter.core.charges import Rate
from alerter.core.money import CurrencyMismatchError
from alerter.core.periods import DAY_MS
from alerter.core.ports import Finding, PriceBook, PriceBookError
from alerter.core.price_age import MAX_AGE_DAYS, days_old, is_old
from alerter.core.price_rules import utc_midnight_ms
from alerter.core.pricing import check_currency
from alerter.registry import PRICE_BOOKS, load
from alerter.store import ledger
from alerter.store.bulk import query
from alerter.store.engine import Store, StoreError
from alerter.store.interning import Interner
from alerter.tokens.prices import TokenPrices

_SHOWN_ROWS = 5
_LOOKED_BACK_DAYS = 31
"""Which charges count as what runs are priced by now."""

_REFRESH = "import newer ones with `alerter prices import`, or write your own in prices.yaml"
_ASSUMED = "region assumed: "


def check_catalogs(config: Config, today: date) -> Iterator[Finding]:
    """Yield what is wrong with the catalogs: unreadable, of another currency, with bad rows, or old throughout."""
    for spec in config.prices.catalogs:
        kind = load(PRICE_BOOKS, spec.kind)
        try:
            book: PriceBook = kind(spec.path) if spec.path is not None else kind()
            check_currency(config.prices.rules, [book])
        except PriceBookError as error:
            yield Finding("error", f"catalog {spec.path}", str(error))
            continue
        except CurrencyMismatchError as error:
            text, _, remedy = str(error).partition(": ")
            yield Finding("error", f"catalog {spec.path or spec.kind}", text, remedy)
            continue
        yield from _book(book, today)
    if config.tokens.wanted(config.budgets):
        yield from _tokens(config)


def _tokens(config: Config) -> Iterator[Finding]:
    """Yield why LLM tokens, which a budget or alerter.yaml asks for, can't be priced."""
    try:
        TokenPrices(config.prices.rules)
    except (PriceBookError, CurrencyMismatchError) as error:
        text, _, remedy = str(error).partition(": ")
        yield Finding("error", "tokens", text, remedy)


def _book(book: PriceBook, today: date) -> Iterator[Finding]:
    subject, skipped = f"catalog {book.name}", list(book.problems)
    for problem in skipped[:_SHOWN_ROWS]:
        yield Finding("warning", subject, f"row skipped: {problem}", "correct the row")
    if len(skipped) > _SHOWN_ROWS:
        yield Finding("warning", subject, f"{len(skipped) - _SHOWN_ROWS} more rows skipped")
    newest = max((row.as_of for each in book.instance_types for row in book.find(each)), default="")
    age = days_old(newest, today)
    if age is not None and age > MAX_AGE_DAYS:
        yield Finding("warning", subject, f"its newest price is of {newest}, {age} days old", _REFRESH)
    elif not skipped:
        yield Finding("ok", subject, f"every row can be used; the newest is of {newest or 'an unknown date'}")


def check_used_prices(store: Store, today: date) -> Iterator[Finding]:
    """Yield what the last month's runs were priced by that is out of date, or of a region that they didn't log."""
    try:
        with store.read() as connection:
            used = _used(connection, utc_midnight_ms(today) - _LOOKED_BACK_DAYS * DAY_MS)
    except StoreError as error:
        yield Finding("error", f"database {store.name}", str(error))
        return
    yield from _old(used, today)
    guessed: dict[str, set[int]] = {}
    for rate, runs in used.items():
        for note in rate.note.split("; "):
            if note.startswith(_ASSUMED):
                guessed.setdefault(note.removeprefix(_ASSUMED), set()).update(runs)
    for region, runs in sorted(guessed.items()):
        text = f"{_count(runs)} logged no region and {'was' if len(runs) == 1 else 'were'} priced as {region}"
        yield Finding(
            "warning", "prices", text, "log `region`, or set defaults.region in prices.yaml to where they run"
        )


def _old(used: Mapping[Rate, set[int]], today: date) -> Iterator[Finding]:
    found: dict[str, tuple[str, set[int]]] = {}
    for rate, runs in used.items():
        if is_old(rate, today):
            oldest, others = found.get(_catalog(rate), (rate.as_of, set()))
            found[_catalog(rate)] = min(oldest, rate.as_of), others | runs
    for catalog, (oldest, runs) in sorted(found.items()):
        text = f"{_count(runs)} priced by it at prices of {oldest}, {days_old(oldest, today)} days old"
        yield Finding("warning", f"catalog {catalog}", text, _REFRESH)


def _catalog(rate: Rate) -> str:
    """Return the catalog that a rule names: ``builtin aws ...``, ``derived ml.x = builtin aws ...``."""
    return rate.rule.rpartition(" = ")[2].partition(" ")[0]


def _count(runs: Collection[int]) -> str:
    return f"{len(runs):,} run{'' if len(runs) == 1 else 's'}"


_CHARGED = (
    "SELECT rate_id, run_id FROM charge WHERE end_ms > ? GROUP BY rate_id, run_id "
    "HAVING SUM(CASE WHEN quantity > 0 THEN 1 ELSE -1 END) > 0"
)


def _used(connection: Connection, since_ms: int) -> dict[Rate, set[int]]:
    """Return the rates of charges since, and of running runs, with the runs that each priced."""
    runs: dict[int, set[int]] = {}
    for rate_id, run_id in query(connection, _CHARGED, since_ms):
        runs.setdefault(rate_id, set()).add(run_id)
    for opened, _ in ledger.all_open(connection):
        for rate_id, _ in opened.plan:
            runs.setdefault(rate_id, set()).add(opened.run_id)
    rates = Interner().rates.values(connection, runs)
    return {rates[rate_id]: ids for rate_id, ids in runs.items()}
