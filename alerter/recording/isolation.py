"""Recording many runs together, and without those that can't be recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from alerter.core.money import MoneyError
from alerter.core.usage import RunObservation
from alerter.recording.outcome import Recorded

log = logging.getLogger(__name__)

POISON = (ArithmeticError, LookupError, TypeError, ValueError, AssertionError, DataError, IntegrityError)
"""What one observation may raise. Anything else is about the database or the program, and stops the cycle."""

Item = TypeVar("Item", bound=RunObservation | str)


def isolated(
    connection: Connection,
    items: Sequence[Item],
    record: Callable[[Sequence[Item]], Recorded],
    forget: Callable[[], None],
) -> Recorded:
    """Record runs, as they were seen or by MLflow's ids; one that can't be is logged, counted and set aside.

    Args:
        connection: in a transaction.
        items: the runs.
        record: writes some of them, and may be asked again for fewer.
        forget: drops what is remembered of what was undone.
    """
    try:
        with connection.begin_nested():
            return record(items)
    except POISON as error:
        if isinstance(error, MoneyError) or not items:
            raise  # the configuration's: every run would be set aside
        forget()
        if len(items) == 1:
            (item,) = items
            uuid, seen = (item, 0) if isinstance(item, str) else (item.run_uuid, 1)
            log.warning("run set aside: it can't be recorded run=%r error=%r", uuid[:80], error)
            return Recorded(seen=seen, set_aside=1)
    half = len(items) // 2
    first, second = (isolated(connection, each, record, forget) for each in (items[:half], items[half:]))
    return first + second
