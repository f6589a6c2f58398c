"""Commands about prices: prices show, prices import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import (
    EXIT_CONFIG,
    EXIT_FAILED,
    AsJson,
    ConfigDir,
    clock_ms,
    config_dir,
    instant_ms,
    load_config,
    print_json,
    say_error,
)

if TYPE_CHECKING:
    from datetime import date

    from alerter.price_import import Imported
    from alerter.prices_shown import ShownPrice

_NAMED_ROWS = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    prices = typer.Typer(help="What usage costs.", no_args_is_help=True)
    prices.command("show")(show)
    prices.command("import")(import_list)
    app.add_typer(prices, name="prices")


def show(
    instance_type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as p4d.24xlarge or ml.g5.xlarge.")],
    region: Annotated[str | None, typer.Option("--region", help="[default: of prices.yaml]")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="[default: of prices.yaml]")] = None,
    option: Annotated[str | None, typer.Option("--option", help="Purchase option, such as spot.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="For rules on tags.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="ISO", help="At this time. [default: now]")] = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what an instance type costs, and which rule says so.

    Where else its price is known stands below.
    """
    from alerter.bootstrap import make_books
    from alerter.core.resources import read_resources
    from alerter.prices_shown import show_price

    loaded = load_config(config)
    facts = {"instance_type": instance_type, "region": region, "provider": provider, "purchase_option": option}
    resources = read_resources(tuple(sorted((key, value) for key, value in facts.items() if value is not None)))
    if resources.problems:
        first = resources.problems[0]
        raise typer.BadParameter(f"{first.key} {first.text!r}: not a name")
    tags = tuple(sorted((key, loaded.tags.clean(key, value)) for key, value in map(_pair, tag or ())))
    found = show_price(resources, tags, loaded.prices.rules, make_books(loaded), _at_ms(at))
    if as_json:
        print_json(found.as_json(_today()))
    else:
        _print(found, _today())
    if not found.is_priced:
        raise typer.Exit(EXIT_FAILED)


def import_list(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A price list.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The catalog to write.")] = None,
    kind: Annotated[
        str | None, typer.Option("--format", metavar="skypilot|opencost|csv", help="[default: looks at the file]")
    ] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="[default: the file's folder, or custom]")] = None,
    region: Annotated[str, typer.Option("--region", help="Of rows that name none.")] = "",
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="[default: the file's date]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the catalog.")] = False,
    config: ConfigDir = None,
) -> None:
    """Make a catalog of a price list. SkyPilot's, OpenCost's CSV or JSON, or our own CSV."""
    from alerter.price_import import FORMATS, ImportFileError, catalog_line, import_prices, snippet, write_catalog
    from alerter.price_import.formats import Assumed

    if kind is not None and kind not in FORMATS:
        raise typer.BadParameter(f"{kind!r} is no format; there are: {', '.join(FORMATS)}")
    try:
        assumed = Assumed(provider or _provider(file), region, _date(as_of, file))
        imported = import_prices(file, assumed, kind=kind)
        _say_problems(imported)
        if imported.prices and out is not None:
            write_catalog(out, imported.prices, imported.currency, overwrite=force)
            skipped = f", {len(imported.problems)} rows skipped" if imported.problems else ""
            typer.echo(f"{out}: {len(imported.prices)} prices in {imported.currency}{skipped}; add to prices.yaml:")
            typer.echo(f"  {catalog_line(out, config_dir(config), imported.currency)}")
    except ImportFileError as error:
        say_error(str(error))
        raise typer.Exit(EXIT_CONFIG) from None
    rates = snippet(imported)
    if rates:
        typer.echo("# rates of parts are no catalog; for prices.yaml:")
        typer.echo(rates)
    if imported.prices and out is None:
        say_error(f"{len(imported.prices)} prices were read; name the catalog to write with --out FILE")
        raise typer.Exit(EXIT_CONFIG)
    if not imported.prices and not rates:
        say_error(f"{file}: no row could be used, nothing is written")
        raise typer.Exit(EXIT_FAILED)


def _say_problems(imported: Imported) -> None:
    for problem in imported.problems[:_NAMED_ROWS]:
        typer.echo(f"skipped: {problem}", err=True)
    more = len(imported.problems) - _NAMED_ROWS
    if more > 0:
        typer.echo(f"skipped: {more} more rows", err=True)


_PROVIDERS = frozenset(
    {"aws", "azure", "gcp", "oci", "ibm", "lambda", "runpod", "fluidstack", "cudo", "nebius", "vast"}
)


def _provider(file: Path) -> str:
    """Return the provider of a list that doesn't name it: SkyPilot keeps each one's in a folder of its name."""
    folder = file.absolute().parent.name.lower()
    return folder if folder in _PROVIDERS else "custom"


def _date(given: str | None, file: Path) -> str:
    from datetime import UTC, date, datetime

    if given is None:
        try:
            return datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
        except OSError:
            return ""  # the reader says that it can't be read
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{given!r} is not a date; write it like 2026-07-20") from None


def _at_ms(text: str | None) -> int:
    """Return an instant; a bare date is its first moment in UTC, as prices begin."""
    if text is not None and len(text.strip()) == len("2026-11-23"):
        return instant_ms(f"{text.strip()}T00:00Z")
    return instant_ms(text)


def _today() -> date:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(clock_ms() / 1000, UTC).date()


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise typer.BadParameter(f"{text!r} is no tag; write it like team=research")
    return key, value


def _print(found: ShownPrice, today: date) -> None:
    from alerter.cli.table import print_table, to_the_second
    from alerter.core.charges import Confidence
    from alerter.core.periods import iso
    from alerter.core.price_age import days_old, is_old
    from alerter.core.text import one_line

    typer.echo(f"{one_line(found.instance_type)}  {found.place}  at {to_the_second(iso(found.at_ms))}")
    for rate in found.rates:
        if rate.confidence is Confidence.GAP:
            say_error(one_line(rate.note, 300))
            continue
        typer.echo(f"  {rate.unit_price} {found.currency} per {rate.pricing_unit}")
        typer.echo(f"    rule   {one_line(rate.rule, 300)}")
        if rate.as_of:
            age = f", {days_old(rate.as_of, today)} days old: import newer ones" if is_old(rate, today) else ""
            typer.echo(f"    as of  {rate.as_of}{age}")
        if rate.note:
            typer.echo(f"    note   {one_line(rate.note, 300)}")
    if found.similar:
        typer.echo(f"did you mean {' or '.join(found.similar)}?", err=True)
    if found.others:
        typer.echo("\ncatalogs know")
        heads = ("type", "provider", "region", "option", f">{found.currency} an hour", "as of", "catalog")
        rows = [
            (row.instance_type, row.provider, row.region, row.purchase_option, row.per_hour, row.as_of, row.catalog)
            for row in found.others
        ]
        print_table(heads, rows)
