"""What came of recording a batch."""

from __future__ import annotations

from dataclasses import dataclass


class NotNewError(Exception):
    """Not every run of a batch is new, or can be recorded."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one batch changed: runs seen, written, corrected; clocks clamped; runs set aside as unrecordable.

    ``changed`` are the runs that were written, by the ledger's ids.
    """

    seen: int = 0
    written: int = 0
    corrected: int = 0
    clamped: int = 0
    set_aside: int = 0
    changed: tuple[int, ...] = ()

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(
            self.seen + other.seen,
            self.written + other.written,
            self.corrected + other.corrected,
            self.clamped + other.clamped,
            self.set_aside + other.set_aside,
            self.changed + other.changed,
        )
