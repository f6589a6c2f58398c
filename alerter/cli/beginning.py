"""The command that comes first: init."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import EXIT_CONFIG, EXIT_FAILED, ConfigDir, clock_ms, config_dir, say_error

if TYPE_CHECKING:
    from alerter.config import Config
    from alerter.onboarding import Answers, Proposal, Survey
    from alerter.services import Services

_TAKEN = ("alerter.yaml", "budgets.yaml", "prices.yaml", "budgets")

_DEFAULT = "[default: $MLFLOW_TRACKING_URI]"
Address = Annotated[str | None, typer.Option("--source", metavar="URL", help=f"MLflow's address. {_DEFAULT}")]
BackendStore = Annotated[
    str | None, typer.Option("--backend-store", metavar="URL", help="Its own database, for a large server.")
]
Tag = Annotated[
    str | None, typer.Option("--tag", metavar="KEY", help="The tag that tells your teams apart; '' for none.")
]
Channel = Annotated[
    str | None, typer.Option("--slack", metavar="CHANNEL", help='Alerts go there, such as "#ml-costs".')
]
Timezone = Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")]
HistoryFrom = Annotated[
    str | None, typer.Option("--history-from", metavar="DATE", help="Leave out runs that ended before.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    address: Address = None,
    backend_store: BackendStore = None,
    tag: Tag = None,
    channel: Channel = None,
    timezone: Timezone = None,
    history_from: HistoryFrom = None,
    observe: Annotated[bool, typer.Option("--observe", help="Begin without telling anybody.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take what is likely.")] = False,
    config: ConfigDir = None,
) -> None:
    """Write a first configuration from what MLflow has in use. Nothing is overwritten."""
    from alerter.cli import asking
    from alerter.onboarding import Answers, files

    folder = config_dir(config)
    _refuse_to_overwrite(folder)
    asks = not yes and asking.is_possible()
    if not yes and not asks:
        raise typer.BadParameter("nobody can be asked here: give --yes, or start it in a terminal")
    answers = Answers(
        address=asking.address(address, ask=asks),
        backend_store=backend_store,
        tag=tag or None,
        timezone=asking.zone(timezone),
        observe=observe,
        history_from=asking.day(history_from),
        channel=asking.channel(channel),
    )
    found, answers, proposal = _look(answers, asks=asks, chosen=tag is not None)
    texts = files(answers, found, proposal)
    _write(folder, texts)
    asking.next_steps(folder, answers, found, is_default=config is None and "ALERTER_CONFIG" not in os.environ)


def _refuse_to_overwrite(folder: Path) -> None:
    there = [name for name in _TAKEN if (folder / name).exists()]
    if there:
        say_error(
            f"{folder / there[0]} is there already, and nothing is overwritten: name another folder by --config DIR"
        )
        raise typer.Exit(EXIT_CONFIG)


def _look(answers: Answers, *, asks: bool, chosen: bool) -> tuple[Survey, Answers, Proposal]:
    """Read the server, show what is in use, ask what remains to be asked, and return amounts."""
    from alerter.cli import asking
    from alerter.cli.fresh import fresh_services
    from alerter.demo.screen import is_pretty, steps
    from alerter.onboarding import candidates, survey

    now_ms = clock_ms()
    config = _provisional(answers)
    with steps(pretty=is_pretty()) as shown:
        shown.begin("reading MLflow's runs")
        with fresh_services(config, now_ms, lambda _source, seen, expected: shown.at(seen, expected)) as services:
            shown.finish()
            with services.ledger.read() as view:
                found = survey(view, services.pricer, now_ms)
            likely = candidates(found)
            asking.show(found, likely)
            if not chosen:
                answers = _likely(answers, found, likely)
            if asks:
                answers = asking.ask(answers, found, likely)
            return found, answers, _proposal(services, found, answers)


def _likely(answers: Answers, found: Survey, likely: list[str]) -> Answers:
    """Return the answers with the tag that is likely to tell teams apart, if need be by experiments' names."""
    from alerter.onboarding import derivable
    from alerter.onboarding.proposal import TEAM

    pattern = derivable(found)
    if pattern is not None:
        typer.echo(f"\nNo tag tells teams apart, but the names of experiments do: {pattern}")
        return replace(answers, tag=TEAM, derive=pattern)
    return replace(answers, tag=likely[0] if likely else None)


def _provisional(answers: Answers) -> Config:
    from tempfile import TemporaryDirectory

    from alerter.config import load
    from alerter.onboarding import provisional_files

    with TemporaryDirectory(prefix="alerter-") as folder:
        for name, text in provisional_files(answers).items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return load(Path(folder))


def _proposal(services: Services, found: Survey, answers: Answers) -> Proposal:
    from alerter.bootstrap import wire
    from alerter.core.budgets import TagCleaning
    from alerter.onboarding import propose, provisional
    from alerter.onboarding.proposal import is_folded

    tag = answers.tag
    folded = frozenset({tag} if tag and is_folded(found.tags.get(tag, {})) else ())
    budgets = provisional(tag, answers.timezone, services.pricer.currency)
    derive = {tag: (answers.derive,)} if tag and answers.derive else {}
    config = replace(services.config, budgets=budgets, tags=TagCleaning(casefold=folded, derive=derive))
    with wire(config, services.store, now_ms=found.now_ms).ledger.read() as view:
        return propose(view, found, tag)


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Write the files, once the loader has accepted them; beside them the schemas for editors."""
    from tempfile import TemporaryDirectory

    from alerter.config import load
    from alerter.config.schema_files import FOLDER, schema_texts

    everything = texts | {f"{FOLDER}/{name}": text for name, text in schema_texts().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".alerter-init-", dir=folder) as part:
            for name, text in everything.items():
                path = Path(part) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
            load(Path(part))
            (folder / FOLDER).mkdir(exist_ok=True)
            for name in everything:
                (Path(part) / name).rename(folder / name)
    except OSError as error:
        say_error(f"{folder} can't be written ({error.strerror}): name another folder by --config DIR")
        raise typer.Exit(EXIT_FAILED) from None
