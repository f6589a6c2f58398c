"""The services of the moment, whose turn it is to use the ledger, and that all of it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from alerter.bootstrap import are_outdated
from alerter.config import Config, team_files
from alerter.leadership import Leadership
from alerter.services import Fence, Services, unfenced
from alerter.store.engine import Store
from alerter.store.meta import remember_files, remembered_files


class Wire(Protocol):
    """Makes services of a configuration; `alerter.bootstrap.wire` is one."""

    def __call__(
        self,
        config: Config,
        store: Store,
        *,
        now_ms: int,
        stop: threading.Event | None = None,
        reading: bool = False,
        fence: Fence = unfenced,
    ) -> Services:
        """Return services whose waiting ends when ``stop`` is set."""
        ...


@dataclass(frozen=True, slots=True)
class Generation:
    """Services, under which epoch they poll (None: they stand by), and the event that ends what they wait for."""

    services: Services
    epoch: int | None
    stop: threading.Event = field(default_factory=threading.Event)


class Present:
    """Holds one generation of services until the next takes its place, between cycles.

    Attributes:
        turn: held by a cycle, and by a reload: never both at once.
        ending: set when the daemon stops.
    """

    def __init__(self, store: Store, wire: Wire, clock: Callable[[], int], leadership: Leadership) -> None:
        self.turn = threading.Lock()
        self.ending = threading.Event()
        self._store = store
        self._wire = wire
        self._clock = clock
        self._leadership = leadership
        self._generation: Generation | None = None

    @property
    def generation(self) -> Generation:
        """The services of the moment and their stop."""
        if self._generation is None:
            raise AssertionError("asked for before the first configuration was adopted")
        return self._generation

    def services(self) -> Services:
        """Return the services of the moment."""
        return self.generation.services

    def adopt(self, config: Config) -> Generation:
        """Wire a configuration and let it take the place of the one before, whose waiting ends.

        Raises:
            StoreError, PriceBookError, MoneyError: as `alerter.bootstrap.wire`; the one before stays.
        """
        stop, epoch = threading.Event(), self._leadership.epoch
        fence = self._leadership.fence(epoch)
        services = self._wire(config, self._store, now_ms=self._clock(), stop=stop, reading=epoch is None, fence=fence)
        if epoch is not None:
            self._remember(config)
        made = Generation(services, epoch, stop)
        before, self._generation = self._generation, made
        if before is not None:
            before.stop.set()
        if self.ending.is_set():  # it may have been set after the generation before was told
            stop.set()
        return made

    def _remember(self, config: Config) -> None:
        """Record the team files that take effect, for a start on a day when one of them has a mistake."""
        files = team_files(config)
        with self._store.read() as connection:
            known = remembered_files(connection)
        if files != known:
            with self._store.write() as connection:
                remember_files(connection, files)

    def follow(self) -> Generation | None:
        """Wire anew what another process's work has outdated, and return it; None where nothing is.

        Who begins to poll remembers nothing from before: another process has written meanwhile. Who stands by follows
        the budgets that the other one has taken.

        Raises:
            As `adopt`.
        """
        generation = self.generation
        same = generation.epoch == self._leadership.epoch
        if same and (generation.epoch is not None or not are_outdated(generation.services)):
            return None
        return self.adopt(generation.services.config)

    def end(self) -> None:
        """Let nothing begin any more, and end what waits."""
        self.ending.set()
        if self._generation is not None:
            self._generation.stop.set()
