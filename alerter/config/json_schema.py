"""JSON Schema of the files, for editors."""

from __future__ import annotations

from typing import Any

from alerter.config.budget_models import BudgetsFile
from alerter.config.price_models import PricesModel
from alerter.config.sections import Section
from alerter.config.settings import AlerterFile

_FILES: dict[str, type[Section]] = {
    "alerter.yaml": AlerterFile,
    "budgets.yaml": BudgetsFile,
    "prices.yaml": PricesModel,
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of each file by its name."""
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}
        for name, model in _FILES.items()
    }
