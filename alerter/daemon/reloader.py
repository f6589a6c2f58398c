"""Reload: files that changed, or SIGHUP, become the services of the moment between two cycles."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from alerter.config import Config, Problem, load_keeping, snapshot
from alerter.core.money import MoneyError
from alerter.core.ports import PriceBookError
from alerter.daemon.changes import Findings, needs_restart, owners_of
from alerter.daemon.present import Generation, Present
from alerter.metrics import Metrics
from alerter.operators import notify
from alerter.store.meta import fact, set_fact

log = logging.getLogger(__name__)

_TOLD = "config_told"

Files = frozenset[tuple[str, int, int]]


class Reloader:
    """Looks at the configuration's files and takes over what changed in them.

    Attributes:
        findings: what the last reload found wrong.
        adopted: called with the new services, while no cycle runs.
        told: called after the operators' notice was put into the outbox.
    """

    def __init__(
        self,
        present: Present,
        started: Config,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], int],
        metrics: Metrics,
        adopted: Callable[[Generation], None],
        told: Callable[[], None],
    ) -> None:
        self._present = present
        self._started = started
        self._environ = environ
        self._clock = clock
        self._metrics = metrics
        self.adopted = adopted
        self.told = told
        self.findings = Findings()
        self._told_digests: dict[str, str] | None = None  # what another process told is in the database
        self._asked = threading.Event()
        self._seen: Files | None = None
        self._taken: Files | None = None

    def ask(self) -> None:
        """Reload at the next look, whether files changed or not: secrets are read again too."""
        self._asked.set()

    def is_due(self) -> bool:
        """Return whether a reload was asked for, or the files differ from those in force and rest since the last look.

        Whoever saves several files, or one slowly, is not caught half-way.
        """
        seen = self._files()
        rests, self._seen = seen == self._seen, seen
        return self._asked.is_set() or (rests and seen != self._taken)

    def reload(self, around: Callable[[Callable[[], None]], None] = lambda work: work()) -> None:
        """Read the files and let what changed take effect; ``around`` is called with the work if there is some.

        Raises:
            StoreError: the database can't be used; the next look tries again.
        """
        asked, seen = self._asked.is_set(), self._files()
        self._asked.clear()
        try:
            config, problems = load_keeping(self._started.directory, self._present.services().config, self._environ)
            if asked or problems or self.findings.digest or config.digest != self._present.services().config.digest:
                around(lambda: self._take(config, problems, asked=asked))
            self._taken = seen
        except BaseException:
            if asked:
                self._asked.set()
            raise

    def _take(self, config: Config, problems: Sequence[Problem], *, asked: bool) -> None:
        found = [str(each) for each in problems]
        with self._present.turn:
            if self._present.ending.is_set():
                return
            if asked or config.digest != self._present.services().config.digest:
                try:
                    self.adopted(self._present.adopt(config))
                except (PriceBookError, MoneyError) as error:
                    found.append(str(error))
        kept = self._present.services().config
        owners = owners_of(problems, kept.file_operators)
        self.findings = Findings(tuple(found), needs_restart(self._started, config), owners)
        self._metrics.config_loaded(ok=not found, at_ms=self._clock())
        counts = (len(kept.sources), len(kept.budgets), len(kept.receivers), len(found))
        log.info(
            "configuration read sources=%d budgets=%d receivers=%d problems=%d revision=%s", *counts, kept.revision
        )

    def tell(self) -> None:
        """Tell the operators and the files' owners what was found, each once until it changes.

        Of several daemons the one that polls does.

        Raises:
            StoreError: the database can't be used; the next look tries again.
        """
        digests = {to: part.digest for to, part in self.findings.parts().items() if part.digest}
        generation = self._present.generation
        if digests == self._told_digests or generation.epoch is None:
            return
        services, at_ms = generation.services, self._clock()
        with services.store.read() as connection:
            told = _digests(fact(connection, _TOLD))
        if told != digests:
            with services.ledger.write() as view:
                set_fact(view.connection, _TOLD, json.dumps(digests) if digests else "")
                for to, part in self.findings.parts().items():
                    if part.digest not in {"", told.get(to)}:
                        notify(view, services, f"config:{part.digest}:{at_ms}", part.notice(at_ms), to)
            self.told()
        self._told_digests = digests

    def _files(self) -> Files:
        return snapshot(self._started.directory, self._present.services().config.files)


def _digests(text: str) -> dict[str, str]:
    """Return what each receiver was told; an earlier version recorded the operators' alone."""
    return dict(json.loads(text)) if text.startswith("{") else {"": text} if text else {}
