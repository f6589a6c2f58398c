"""The section ``storage`` of ``alerter.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from alerter.config.sections import Section
from alerter.core.budgets import Budget

COMPONENT = "storage"


class StorageConfig(Section):
    """Whether artifacts are listed and their bytes charged."""

    label: ClassVar[str] = "storage"
    enabled: bool | None = Field(None, description="default: where a budget's components name storage")
    runs_per_poll: int = Field(200, ge=1, le=100_000, description="runs and LoggedModels to list in one poll")

    def wanted(self, budgets: Iterable[Budget]) -> bool:
        """Return whether storage is charged under some budgets."""
        if self.enabled is not None:
            return self.enabled
        return any(COMPONENT in budget.components for budget in budgets)
