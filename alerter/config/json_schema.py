"""JSON Schema of the files, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from alerter.config.budget_models import BudgetsFile
from alerter.config.fields import DURATION_PATTERN
from alerter.config.price_models import PricesModel
from alerter.config.sections import Section
from alerter.config.settings import AlerterFile

_FILES: dict[str, type[Section]] = {
    "alerter.yaml": AlerterFile,
    "budgets.yaml": BudgetsFile,
    "prices.yaml": PricesModel,
}


class _Writer(GenerateJsonSchema):
    """Leaves out titles that only repeat the key, and writes durations as a file does."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's own signature
        return False

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if written.get("pattern") == DURATION_PATTERN and isinstance(written.get("default"), float):
            written["default"] = f"{written['default']:.0f}s"
        if isinstance(written.get("default"), dict):
            del written["default"]  # a section's own keys have theirs
        return written


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of each file by its name."""
    return {
        name: {"$schema": _Writer.schema_dialect, **model.model_json_schema(by_alias=True, schema_generator=_Writer)}
        for name, model in _FILES.items()
    }
