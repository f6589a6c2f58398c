"""The section ``ledger`` of ``alerter.yaml``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from alerter.config.fields import InvalidValueError, PositiveDuration
from alerter.config.sections import Section

SHORTEST_DAYS = 90
_DAY_S = 86400


def _long_enough(seconds: float) -> float:
    if seconds < SHORTEST_DAYS * _DAY_S:
        raise InvalidValueError(f"at least {SHORTEST_DAYS}d: later edits of a run could not be charged after it")
    return seconds


class LedgerConfig(Section):
    """How long the charges of finished runs are kept one by one; durations in seconds."""

    label: ClassVar[str] = "ledger"
    keep_s: Annotated[PositiveDuration, AfterValidator(_long_enough)] | None = Field(
        None, alias="keep", description="then charges of closed periods fold into daily sums; default: for ever"
    )
