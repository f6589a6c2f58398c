"""Parsed files -> `Config`: each validated by its model, then checked against the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from alerter.config.alert_rules import AlertRulesModel
from alerter.config.budgets import Surroundings, read_budgets
from alerter.config.digests import read_digests
from alerter.config.file_operators import read_file_operators
from alerter.config.machines import machines_of, machines_path
from alerter.config.model import CONSOLE, Config, ReceiverConfig
from alerter.config.prices import Prices, read_prices
from alerter.config.problems import ConfigError, Problem, did_you_mean, shown
from alerter.config.receivers import known_receiver, read_receivers, secret_names
from alerter.config.secrets import Secrets, named_secrets, setting
from alerter.config.sections import validate
from alerter.config.settings import AlerterFile, EmailConfig, SourceConfig
from alerter.config.tags import read_tags
from alerter.config.urls import tracking_uri
from alerter.config.yaml_files import Document
from alerter.core.budgets import Budget, TagCleaning
from alerter.core.digests import DigestSpec
from alerter.core.machines import Machine

ALERTER = "alerter.yaml"
PRICES = "prices.yaml"
BUDGETS = "budgets.yaml"
MLFLOW_DEFAULT = "http://127.0.0.1:5000"
Found = TypeVar("Found")


def assemble(directory: Path, documents: Mapping[Path, Document], environ: Mapping[str, str]) -> Config:
    """Return the configuration that some parsed files make.

    Raises:
        ConfigError: with every problem of every file.
    """
    fresh = {path: replace(each, problems=list(each.problems)) for path, each in documents.items()}
    problems: list[Problem] = []
    try:
        config = _Assembly(directory, fresh, environ, problems).config()
    finally:
        for each in fresh.values():
            problems.extend(each.problems)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def digest(documents: Mapping[Path, Document], others: Iterable[Path] = ()) -> str:
    """Return the SHA-256 (hex) of what files say: of YAML its values only, of ``others`` every byte."""
    hashes = [(path.name, _sha256(json.dumps(each.data, sort_keys=True).encode())) for path, each in documents.items()]
    hashes += [(path.name, _sha256(_bytes_of(path))) for path in others]
    return _sha256(json.dumps(sorted(hashes)).encode())


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # the price book that reads it says why it can't


class _Assembly:
    """One attempt at a configuration; what is wrong stands in the documents, or in ``problems`` if in none of them."""

    def __init__(
        self, directory: Path, documents: dict[Path, Document], environ: Mapping[str, str], problems: list[Problem]
    ) -> None:
        self.directory = directory
        self.documents = documents
        self.environ = environ
        self.problems = problems
        main = directory / ALERTER
        self.main = documents.get(main) or Document(main)

    def config(self) -> Config | None:
        """Return the configuration, or None where a part of it could not be made."""
        file = None if self.main.broken else validate(AlerterFile, self.main)
        tags = read_tags(file.tags, self.main) if file else TagCleaning()
        prices = self._prices(tags)
        receivers = read_receivers(file, self.main) if file else ()
        budgets, owners = self._budgets(self._around(file, prices, tags, frozenset(each.name for each in receivers)))
        secrets, machines = self._secrets(Secrets.read) or Secrets(), self._machines()
        if file is None:
            return None
        sources, (operators, digests) = self._sources(file), self._addressed(file, receivers, budgets)
        if prices is None:
            return None
        return Config(
            directory=self.directory,
            sources=sources,
            database=file.database,
            poll=file.poll,
            metering=file.metering,
            tokens=file.tokens,
            storage=file.storage,
            ledger=file.ledger,
            machines=machines,
            tags=tags,
            receivers=receivers,
            slack=file.slack,
            email=self._email(file),
            web=file.web,
            alerts=file.alerts,
            operators=operators,
            digests=digests,
            budgets=budgets,
            file_operators=owners,
            prices=prices,
            secrets=secrets,
            receiver_secrets=self._secrets(lambda environ: named_secrets(secret_names(receivers), environ)) or {},
            files=(*self.documents, *prices.files),
            digest=digest(self.documents, prices.files),
            documents=self.documents,
        )

    def _budgets(self, around: Surroundings) -> tuple[tuple[Budget, ...], dict[Path, str]]:
        files = self._budget_files()
        return read_budgets(files, around), read_file_operators(files, around.receivers)

    def _around(
        self, file: AlerterFile | None, prices: Prices | None, tags: TagCleaning, receivers: frozenset[str]
    ) -> Surroundings:
        """Return what budgets are checked against, as far as the other files could be read."""
        return Surroundings(
            receivers=receivers if file else self._receiver_names(),
            currency=prices.rules.currency if prices else None,
            tags=tags,
            alerts=file.alerts if file else AlertRulesModel(),
        )

    def _addressed(
        self, file: AlerterFile, receivers: Sequence[ReceiverConfig], budgets: Sequence[Budget]
    ) -> tuple[str | None, tuple[DigestSpec, ...]]:
        """Return the operators' receiver and the digests, each told to receivers that there are."""
        known = [each.name for each in receivers]
        known_receiver(self.main, ("alerts", "escalate_to"), file.alerts.escalate_to, known)
        operators = known_receiver(self.main, ("operators",), file.operators, known)
        return operators, read_digests(self.main, file.digests, known, budgets)

    def _prices(self, tags: TagCleaning) -> Prices | None:
        path = self.directory / PRICES
        return read_prices(self.documents.get(path) or Document(path), tags)

    def _machines(self) -> dict[str, Machine]:
        document = self.documents.get(machines_path(self.directory, self.main) or self.directory)
        return machines_of(document) if document is not None else {}

    def _budget_files(self) -> list[Document]:
        machines = machines_path(self.directory, self.main) or self.directory
        others = {self.directory / ALERTER, self.directory / PRICES, machines}
        found = [each for path, each in self.documents.items() if path not in others]
        if not found:
            self.problems.append(Problem(self.directory / BUDGETS, 0, 0, _no_budgets(self.directory)))
        return found

    def _secrets(self, read: Callable[[Mapping[str, str]], Found]) -> Found | None:
        try:
            return read(self.environ)
        except ConfigError as error:
            self.problems.extend(error.problems)
            return None

    def _receiver_names(self) -> frozenset[str] | None:
        """Return the names that stand in a file with other mistakes, so that budgets can still be checked."""
        data = self.main.data
        if self.main.broken or not isinstance(data, dict) or not isinstance(data.get("receivers", []), list):
            return None
        names = [each.get("name") for each in data.get("receivers", []) if isinstance(each, dict)]
        return frozenset(str(each).strip() for each in names if each is not None) or frozenset({CONSOLE.name})

    def _sources(self, file: AlerterFile) -> tuple[SourceConfig, ...]:
        written = file.sources or (SourceConfig(name="main"),)
        for index, each in enumerate(written):
            if any(each.name == other.name for other in written[:index]):
                self.main.report(("sources", index, "name"), f"source {shown(each.name)} stands twice")
        fallback = MLFLOW_DEFAULT
        if not all(each.tracking_uri for each in written):
            fallback = self._tracking_uri()
        return tuple(_complete(each, fallback) for each in written)

    def _tracking_uri(self) -> str:
        try:
            given = setting("mlflow_tracking_uri", self.environ)
            return tracking_uri(given) if given else MLFLOW_DEFAULT
        except ConfigError as error:
            self.problems.extend(error.problems)
        except ValueError as error:
            self.problems.append(Problem(Path("$MLFLOW_TRACKING_URI"), 0, 0, str(error)))
        return MLFLOW_DEFAULT

    def _email(self, file: AlerterFile) -> EmailConfig | None:
        if file.email is None or file.email.ca_file is None:
            return file.email
        path = self.directory / file.email.ca_file
        if not path.is_file():
            self.main.report(("email", "ca_file"), f"no such file: {shown(path)}")
        return file.email.model_copy(update={"ca_file": str(path)})


def _complete(source: SourceConfig, fallback: str) -> SourceConfig:
    uri = source.tracking_uri or fallback
    page = source.ui_url or (uri if uri.startswith(("http://", "https://")) else "")
    return source.model_copy(update={"tracking_uri": uri, "ui_url": page})


def _no_budgets(directory: Path) -> str:
    try:
        near = did_you_mean(BUDGETS, [each.name for each in directory.iterdir() if each.name not in {ALERTER, PRICES}])
    except OSError:
        near = ""
    hint = f" (is it '{near.split(chr(39))[1]}'?)" if near else ""
    return f"not found{hint}: write at least one budget there, or in files of the folder budgets/"
