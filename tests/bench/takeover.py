"""From the end of the daemon that polls to another one's first complete poll: killed, stopped, cut off, unheard."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from alerter.store.engine import Store
from alerter.store.sources import states
from tests.bench.databases import Databases
from tests.bench.workbench import Figure, command, now_ms
from tests.daemon.conftest import until
from tests.daemon.several.conftest import role
from tests.daemon.test_process import Process
from tests.fixtures.store import PostgresServer, create_migrated
from tests.fixtures.tcp_proxy import TcpProxy, proxied

_RUNS = 10_000
_MOST = 2.0
"""Poll intervals that it may take."""


@dataclass(frozen=True, slots=True)
class _Daemon:
    process: Process
    line: TcpProxy
    """To the database."""


_WAYS: dict[str, Callable[[_Daemon], None]] = {
    "killed": lambda daemon: daemon.process.popen.kill(),
    "stopped": lambda daemon: daemon.process.popen.send_signal(signal.SIGSTOP),
    "cut off": lambda daemon: daemon.line.cut(),
    "unheard": lambda daemon: daemon.line.hold(),
}


@dataclass
class _Fleet:
    """Two daemons at a time on one PostgreSQL and one MLflow database."""

    folder: Path
    backend_store: str
    store: Store
    every_s: float
    stack: ExitStack
    numbers: Iterator[int] = field(default_factory=count)

    def start(self) -> _Daemon:
        """Start a daemon with a line of its own to the database."""
        folder = self.folder / f"daemon-{next(self.numbers)}"
        url = self.store.url
        line = self.stack.enter_context(proxied(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}"))
        near = url.set(host="127.0.0.1", port=line.port, query={}).render_as_string(hide_password=False)
        words = command("run", config=self._configured(folder, near))
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            popen = subprocess.Popen(words, cwd=folder, stdout=out, stderr=err)
        self.stack.callback(popen.wait, 30)
        self.stack.callback(popen.kill)
        return _Daemon(Process(folder, dict(os.environ), popen), line)

    def begins(self, what: str) -> _Daemon:
        """Start a daemon and wait until it says that it polls, or stands by."""
        daemon = self.start()
        until(lambda: role(daemon.process).startswith(what), daemon.process.log)
        return daemon

    def polled(self, after_ms: int) -> None:
        """Wait until a poll that began after an instant is complete."""

        def is_complete() -> bool:
            with self.store.read() as connection:
                return any((each.complete_ms or 0) > after_ms for each in states(connection))

        until(is_complete)

    def _configured(self, folder: Path, database: str) -> Path:
        config = folder / "config"
        config.mkdir(parents=True)
        (config / "alerter.yaml").write_text(
            f"sources: [{{name: main, tracking_uri: 'http://127.0.0.1:9', backend_store: '{self.backend_store}'}}]\n"
            f"database: '{database}'\npoll: {{every: {self.every_s:g}s}}\n"
            "receivers: [{name: console, console: {}}]\nweb: {listen: '127.0.0.1:0'}\n"
        )
        (config / "budgets.yaml").write_text(
            "budgets: [{name: everything, amount: 1000000000, period: monthly, receivers: [console]}]\n"
        )
        return config


def takeover(databases: Databases, every_s: float, rounds: int) -> Iterator[Figure]:
    """Yield, for each way in which a daemon goes, the longest time until another one has polled, in poll intervals."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        postgres = stack.enter_context(closing(PostgresServer(folder)))
        store = stack.enter_context(closing(Store(create_migrated(postgres.url))))
        fleet = _Fleet(folder, databases.sqlite(_RUNS), store, every_s, stack)
        polling = fleet.begins("polls")
        for way, end in _WAYS.items():
            took = []
            for turn in range(rounds):
                second = fleet.begins("standing by")
                fleet.polled(now_ms())
                time.sleep(every_s * (turn + 0.5) / rounds)  # at each part of an interval
                took.append(_seconds_until_taken_over(fleet, polling, end))
                polling.process.popen.kill()
                polling = second
            ratios = sorted(each / every_s for each in took)
            detail = f"{', '.join(f'{each:.2f}' for each in ratios)}; a poll every {every_s:g} s, {_RUNS} runs"
            yield Figure(f"taken over, the polling daemon {way}", ratios[-1], "intervals", _MOST, detail)


def _seconds_until_taken_over(fleet: _Fleet, polling: _Daemon, end: Callable[[_Daemon], None]) -> float:
    end(polling)
    began, at_ms = time.monotonic(), now_ms()
    fleet.polled(at_ms)
    return time.monotonic() - began
