"""Every key of the three files stands in its page, with its default, and no other does."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from alerter.config import (
    alert_rules,
    budget_models,
    digests,
    ledger_settings,
    price_models,
    receiver_models,
    settings,
    storage_settings,
    token_settings,
)
from alerter.config.fields import DURATION_PATTERN, seconds
from alerter.config.json_schema import schema
from alerter.config.secrets import Secrets
from alerter.config.sections import Section
from alerter.core.resources import DEFAULT_KEYS
from alerter.registry import NOTIFIERS, PRICE_BOOKS, SOURCES
from tests.docs.pages import ROOT, rows, section, text_of

Model = type[Section]

CONFIGURATION, BUDGETS, PRICES = "docs/configuration.md", "docs/budgets.md", "docs/prices.md"
PLACES: dict[Model, tuple[str, str]] = {
    settings.AlerterFile: (CONFIGURATION, "alerter.yaml"),
    settings.SourceConfig: (CONFIGURATION, "sources"),
    settings.ExperimentFilter: (CONFIGURATION, "experiments"),
    settings.PollConfig: (CONFIGURATION, "poll"),
    settings.MeteringConfig: (CONFIGURATION, "metering"),
    token_settings.TokensConfig: (CONFIGURATION, "tokens"),
    storage_settings.StorageConfig: (CONFIGURATION, "storage"),
    ledger_settings.LedgerConfig: (CONFIGURATION, "ledger"),
    settings.TagsSection: (CONFIGURATION, "tags"),
    receiver_models.ReceiverSection: (CONFIGURATION, "receivers"),
    receiver_models.SlackTarget: (CONFIGURATION, "slack of a receiver"),
    receiver_models.EmailTarget: (CONFIGURATION, "email of a receiver"),
    receiver_models.WebhookTarget: (CONFIGURATION, "webhook of a receiver"),
    receiver_models.AppriseTarget: (CONFIGURATION, "apprise of a receiver"),
    settings.SlackConfig: (CONFIGURATION, "slack"),
    settings.EmailConfig: (CONFIGURATION, "email"),
    settings.WebConfig: (CONFIGURATION, "web"),
    settings.AlertsConfig: (CONFIGURATION, "alerts"),
    digests.DigestSection: (CONFIGURATION, "digests"),
    budget_models.BudgetsFile: (BUDGETS, "Keys of a file"),
    budget_models.BudgetModel: (BUDGETS, "Keys of a budget"),
    budget_models.DefaultsModel: (BUDGETS, "Keys of defaults"),
    budget_models.PeriodModel: (BUDGETS, "Keys of a period"),
    budget_models.DatedAmount: (BUDGETS, "Keys of an amount"),
    budget_models.OverrideModel: (BUDGETS, "Keys of an override"),
    budget_models.ThresholdModel: (BUDGETS, "Keys of a threshold"),
    alert_rules.QuietHoursModel: (BUDGETS, "Keys of quiet_hours"),
    price_models.PricesModel: (PRICES, "prices.yaml"),
    price_models.DefaultsModel: (PRICES, "defaults"),
    price_models.FileCatalog: (PRICES, "An entry of catalogs"),
    price_models.PriceModel: (PRICES, "An entry of prices"),
    price_models.DeriveModel: (PRICES, "An entry of derive"),
    price_models.PartRates: (PRICES, "resources"),
    price_models.StorageModel: (PRICES, "storage"),
    price_models.MultiplierModel: (PRICES, "An entry of multipliers"),
    price_models.TokenPriceModel: (PRICES, "An entry of tokens"),
    price_models.LoggedCostModel: (PRICES, "logged_cost"),
    price_models.FallbackModel: (PRICES, "fallback"),
}
WITHOUT_KEYS = {receiver_models.ConsoleTarget, price_models.BuiltinCatalog}
"""Models that a page shows without a table: nothing, and one word."""


def reachable(model: type[BaseModel], seen: set[Model]) -> set[Model]:
    """Collect the models that a file can hold."""
    if not issubclass(model, Section) or model in seen:
        return seen
    seen.add(model)
    for each in model.model_fields.values():
        for found in _models_in(each):
            reachable(found, seen)
    return seen


def _models_in(info: FieldInfo) -> Iterator[type[BaseModel]]:
    yield from _walk(info.annotation)
    for each in info.metadata:
        yield from _walk(each)


def _walk(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _walk(part)


def test_every_model_of_a_file_has_its_table() -> None:
    found: set[Model] = set()
    for file in (settings.AlerterFile, budget_models.BudgetsFile, price_models.PricesModel):
        reachable(file, found)
    assert {each.__name__ for each in found - WITHOUT_KEYS - set(PLACES)} == set()


@pytest.mark.parametrize("model", PLACES, ids=lambda model: f"{model.__module__.rpartition('.')[2]}.{model.__name__}")
def test_a_table_has_every_key_and_no_other(model: Model) -> None:
    page, title = PLACES[model]
    assert set(rows(section(text_of(page), title))) == set(model.yaml_keys())


def defaults() -> Iterator[Any]:
    places = {f"{model.__name__}": place for model, place in PLACES.items()}
    for file, made in schema().items():
        parts = [made, *made["$defs"].values()]
        for part in parts:
            name = part.get("title", "")
            if file == "prices.yaml" and name == "DefaultsModel":
                place: tuple[str, str] | None = PLACES[price_models.DefaultsModel]
            else:
                place = places.get(name)
            for key, spec in part.get("properties", {}).items():
                default = spec.get("default")
                if place is not None and isinstance(default, str | int | bool) and default != "":
                    yield pytest.param(place, key, spec, id=f"{file}-{name}-{key}")


@pytest.mark.parametrize(("place", "key", "spec"), list(defaults()))
def test_a_default_is_the_one_that_holds(place: tuple[str, str], key: str, spec: dict[str, Any]) -> None:
    written = rows(section(text_of(place[0]), place[1]))[key].split("|")[0]
    said = re.findall(r"`([^`]+)`", written)
    assert said, f"{key} has the default {spec['default']}"
    if spec.get("pattern") == DURATION_PATTERN:
        assert seconds(said[0]) == seconds(spec["default"])
    else:
        assert said[0] == str(spec["default"]).replace("True", "true").replace("False", "false")


def test_every_secret_and_variable_is_explained() -> None:
    explained = set(rows(section(text_of(CONFIGURATION), "Environment")))
    read = {name.upper() for name in Secrets.__slots__}
    pattern = re.compile(r'environ(?:\.get\(|\[)"([A-Z_]+)"|setting\("([a-z_]+)"')
    for path in (ROOT / "alerter").rglob("*.py"):
        if path.parent.name != "demo":  # it makes an environment of its own
            read |= {(upper or lower).upper() for upper, lower in pattern.findall(path.read_text(encoding="utf-8"))}
    systemd = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    assert read - systemd <= explained
    assert {each for each in explained if each.startswith(("SLACK", "SMTP", "ALERTER"))} <= read


def test_every_param_that_names_a_machine_is_explained() -> None:
    table = rows(section(text_of(PRICES), "What a run has to log"))
    assert {key: tuple(re.findall(r"`([^`]+)`", rest)) for key, rest in table.items()} == DEFAULT_KEYS


def test_every_kind_of_the_registry_is_explained() -> None:
    for page, kinds in ((CONFIGURATION, SOURCES), (CONFIGURATION, NOTIFIERS), (PRICES, PRICE_BOOKS)):
        assert not [kind for kind in kinds if f"`{kind}`" not in text_of(page)]
