"""Distinct tag sets, usage sets and rates: stored once, referred to by small numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, fields
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from alerter.core.charges import WHOLE, Confidence, Rate
from alerter.core.usage import Meter, Pairs
from alerter.store.bulk import insert_rows, query, select_in

Value = TypeVar("Value", bound=Pairs | Rate)


class _Interned(Generic[Value]):
    """A table of distinct values with an id each; so many that were read or written are remembered, in memory."""

    def __init__(self, table: str, columns: tuple[str, ...], remembers: int) -> None:
        self._table = table
        self._columns = columns
        self._remembers = remembers
        self._ids: dict[Value, int] = {}
        self._values: dict[int, Value] = {}

    def encode(self, value: Value) -> tuple[str, ...]:
        raise NotImplementedError

    def decode(self, row: Any) -> Value:
        raise NotImplementedError

    def digest(self, value: Value) -> int:
        return _digest(self.encode(value))

    def ids(self, connection: Connection, values: Iterable[Value]) -> dict[Value, int]:
        """Return the id of each value, adding rows for the new ones."""
        self._make_room()
        wanted = set(values)
        missing = {self.digest(value): value for value in wanted if value not in self._ids}
        if missing:
            self._load(connection, "digest", list(missing))
            self._add(connection, {key: each for key, each in missing.items() if each not in self._ids})
        return {value: self._ids[value] for value in wanted}

    def values(self, connection: Connection, ids: Iterable[int]) -> dict[int, Value]:
        """Return the value of each id."""
        self._make_room()
        wanted = set(ids)
        missing = [each for each in wanted if each not in self._values]
        if missing:
            self._load(connection, "id", missing)
        return {each: self._values[each] for each in wanted}

    def all(self, connection: Connection) -> dict[int, Value]:
        """Return every value by its id."""
        found: dict[int, Value] = {}
        for row in query(connection, f"SELECT id, {', '.join(self._columns)} FROM {self._table}"):
            value = found[row[0]] = self._values.get(row[0]) or self.decode(row[1:])
            if len(self._values) < self._remembers:
                self._remember(row[0], value)
        return found

    def forget(self) -> None:
        """Drop what is remembered: after a rollback it may name rows that were never committed."""
        self._ids.clear()
        self._values.clear()

    def _make_room(self) -> None:
        if len(self._values) >= self._remembers:  # where each run has a value of its own, memory is not to follow
            self.forget()

    def _load(self, connection: Connection, column: str, keys: list[int]) -> None:
        sql = f"SELECT id, {', '.join(self._columns)} FROM {self._table} WHERE {column} IN {{values}}"
        for row in select_in(connection, sql, keys):
            self._remember(row[0], self.decode(row[1:]))

    def _add(self, connection: Connection, fresh: dict[int, Value]) -> None:
        if not fresh:
            return
        next_id = (query(connection, f"SELECT MAX(id) FROM {self._table}").scalar() or 0) + 1
        rows = []
        for row_id, (digest, value) in enumerate(fresh.items(), next_id):
            rows.append((row_id, digest, *self.encode(value)))
            self._remember(row_id, value)
        marks = ", ".join("?" * (len(self._columns) + 2))
        columns = ", ".join(("id", "digest", *self._columns))
        insert_rows(connection, f"INSERT INTO {self._table} ({columns}) VALUES ({marks})", rows)

    def _remember(self, row_id: int, value: Value) -> None:
        self._ids[value] = row_id
        self._values[row_id] = value


class PairSets(_Interned[Pairs]):
    """Sets of tags, or of what prices need."""

    def encode(self, value: Pairs) -> tuple[str, ...]:
        """Return a row's text."""
        return (json.dumps(value, ensure_ascii=False, separators=(",", ":")),)

    def decode(self, row: Any) -> Pairs:
        """Return what a row's text says."""
        return tuple((key, text) for key, text in json.loads(row[0]))


class _Rates(_Interned[Rate]):
    def encode(self, value: Rate) -> tuple[str, ...]:
        *text, (place, parts) = astuple(value)
        return (*map(str, text), "" if parts == 1 else f"{place}/{parts}")

    def digest(self, value: Rate) -> int:
        encoded = self.encode(value)
        # Of a whole machine it is the digest that it had before machines could be shared.
        return _digest(encoded if encoded[-1] else encoded[:-1])

    def decode(self, row: Any) -> Rate:
        meter, price, list_price, unit, currency, rule, as_of, level, note, share = row
        place, _, parts = share.partition("/")
        shared = (int(place), int(parts)) if parts else WHOLE
        return Rate(Meter(meter), price, list_price, unit, currency, rule, as_of, Confidence(level), note, shared)


class Interner:
    """The interned tables of one ledger; of each about ``remembers`` values are kept in memory."""

    def __init__(self, remembers: int = 20_000) -> None:
        self.remembers = remembers
        self.tag_sets = PairSets("tag_set", ("tags",), remembers)
        self.usage_sets = PairSets("usage_set", ("usage",), remembers)
        self.rates = _Rates("rate", tuple(each.name for each in fields(Rate)), remembers)

    def forget(self) -> None:
        """Drop what is remembered, after a rollback."""
        for each in (self.tag_sets, self.usage_sets, self.rates):
            each.forget()


def digest_of(*parts: object) -> int:
    """Return a stable 63-bit digest of some values' text."""
    return _digest(tuple(str(part) for part in parts))


def _digest(parts: tuple[str, ...]) -> int:
    text = "\x1f".join(parts)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1
