"""The section ``tokens`` of ``alerter.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from alerter.config.sections import Section
from alerter.core.budgets import Budget

COMPONENT = "tokens"


class TokensConfig(Section):
    """Whether the traces of LLM calls are read and their tokens charged; it takes the extra ``llm``."""

    label: ClassVar[str] = "tokens"
    enabled: bool | None = Field(None, description="default: where a budget's components name tokens")
    traces_per_poll: int = Field(5000, ge=500, le=1_000_000)

    def wanted(self, budgets: Iterable[Budget]) -> bool:
        """Return whether tokens are charged under some budgets."""
        if self.enabled is not None:
            return self.enabled
        return any(COMPONENT in budget.components for budget in budgets)
