"""Where reading stands: small, immutable, kept as text by whoever records the batches."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from typing import Any

log = logging.getLogger(__name__)

KIND = "database"
VERSION = 2
NOT_BEGUN = -1
"""A sweep that is due."""


@dataclass(frozen=True, slots=True)
class News:
    """What was the last news, as a database tells it: see `alerter.sources.mlflow_database.tables`.

    Attributes:
        key: SQLite: the last ``rowid``; PostgreSQL: the transaction from which on everything may be new.
        mark: SQLite: the run that it belongs to; PostgreSQL: the table's identity. Another one means a new sweep.
        written: PostgreSQL: how many rows were ever written, as its statistics say.
    """

    key: int = 0
    mark: str = ""
    written: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The state between polls.

    Attributes:
        settings: fingerprint of what decides which runs are read and what of them is kept; another one sweeps anew.
        swept: everything was seen once (it stays so during a later sweep).
        sweep: where the sweep under way goes on, None if none is; ``sweep_count`` runs were read since it began. A
            place in a walk is SQLite's last ``rowid``, PostgreSQL's next block.
        news: what was new last.
        turn: where the slice goes on; ``turn_count`` runs of this turn were walked over, ``turn_total`` in the last.
        awake: where looking for runs that run again goes on.
    """

    settings: str
    swept: bool = False
    sweep: int | None = NOT_BEGUN
    sweep_count: int = 0
    news: News = field(default=News())
    turn: int = 0
    turn_count: int = 0
    turn_total: int = 0
    awake: int = 0

    def text(self) -> str:
        """Return it as text for a batch."""
        return json.dumps({"kind": KIND, "v": VERSION, **asdict(self)}, separators=(",", ":"))


def parse(text: str, settings: str) -> Cursor:
    """Return the cursor that `Cursor.text` wrote; else one that sweeps anew and knows whether all was seen once."""
    try:
        raw = json.loads(text) if text else {}
        if raw.pop("kind", "") != KIND:  # of the same server over REST, or none yet
            return Cursor(settings, swept=bool(raw.get("swept")))
        cursor = _read(raw)
    except (ValueError, TypeError, KeyError, AttributeError):
        log.warning("cursor is unreadable, sweeping everything again")
        return Cursor(settings)
    if cursor.settings != settings:
        log.info("source settings changed, sweeping everything again")
        return Cursor(settings, swept=cursor.swept)
    return cursor


def _read(raw: dict[str, Any]) -> Cursor:
    if raw.pop("v") != VERSION:
        raise ValueError(raw)
    return Cursor(**{**raw, "news": News(**raw["news"])})


def is_mine(text: str) -> bool:
    """Whether `Cursor.text` wrote a text."""
    return f'"kind":"{KIND}"' in text
