"""One configuration, wired: what the verbs and the cycle work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from sqlalchemy import Connection

from alerter.briefing import Describer
from alerter.config.model import Config, ReceiverConfig
from alerter.core.budgets import Budget
from alerter.core.ports import Notifier, RunSource
from alerter.pricer import Pricer
from alerter.recording import Recorder
from alerter.storage import StorageRecorder
from alerter.store.engine import Store
from alerter.store.interning import Interner
from alerter.store.totals import Attribution, View
from alerter.tokens import TokenRecorder

Fence = Callable[[Connection], None]
"""Called first in a writing transaction, to refuse it where another process polls."""


def unfenced(_connection: Connection) -> None:
    """Let everything through: no other process can be there."""


class Ledger:
    """The ledger under one configuration, as one thread at a time reads it.

    It remembers interned values and budget matches; a failed transaction makes it forget them.
    """

    def __init__(
        self, store: Store, budgets: Mapping[int, Budget], config: Config, *, adds: bool = True, fence: Fence = unfenced
    ) -> None:
        self.store = store
        self._fence = fence
        self.budgets = budgets
        self.interner = Interner()
        self.attribution = Attribution(budgets.items(), config.tags, self.interner, adds=adds)
        self._lock = Lock()

    @contextmanager
    def read(self) -> Iterator[View]:
        """Give one state of the ledger to read.

        Raises:
            StoreError: the database can't be read.
        """
        with self._forgetting(), self.store.read() as connection:
            yield self._view(connection)

    @contextmanager
    def write(self) -> Iterator[View]:
        """Give the ledger within a writing transaction.

        Raises:
            StoreError: the database can't be written, or another process polls; nothing was changed.
        """
        with self._forgetting(), self.store.write() as connection:
            self._fence(connection)
            yield self._view(connection)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Let one thread in; what it remembered of a transaction that failed never came to be, not even reading."""
        with self._lock:
            try:
                yield
            except BaseException:
                self.interner.forget()
                self.attribution.forget()
                raise

    def _view(self, connection: Connection) -> View:
        return View(connection, self.budgets, self.interner, self.attribution)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything one configuration is wired to.

    Attributes:
        ledger: for the cycle; ``windows`` is another one, for what people ask meanwhile.
        budget_ids: the row ids of the budgets, in the configuration's order.
        notifiers: by kind.
        tokens: None where no trace is read.
        storage: None only where nothing is polled.
    """

    config: Config
    store: Store
    ledger: Ledger
    windows: Ledger
    sources: Sequence[RunSource]
    pricer: Pricer
    recorder: Recorder
    describer: Describer
    notifiers: Mapping[str, Notifier]
    receivers: Mapping[str, ReceiverConfig] = field(default_factory=dict)
    tokens: TokenRecorder | None = None
    storage: StorageRecorder | None = None
