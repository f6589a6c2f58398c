"""A daemon in a thread of the test: a source of ten lines, a console that can be read, a folder that can be edited."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alerter import bootstrap
from alerter.config import Config, load
from alerter.core.alerts import AlertState, Message
from alerter.core.ports import Batch, Finding, PollRequest, Receipt, SourceError, Target
from alerter.core.usage import RunObservation, RunStatus
from alerter.daemon import Daemon
from alerter.notifiers.console import ConsoleNotifier
from alerter.services import Services
from alerter.store.bulk import query
from alerter.store.engine import Store
from tests.fixtures.clock import noon_zone
from tests.fixtures.window_data import SECRET

PATIENCE_S = 90.0
ALERTER = """\
poll: {every: 200ms}
receivers: [{name: ops, console: {}}, {name: costs, console: {}}]
operators: ops
slack: {mode: http}
web: {listen: "127.0.0.1:0"}
"""
BUDGETS = f"""\
defaults: {{receivers: [costs], timezone: {noon_zone()}}}
budgets:
  - {{name: everything, amount: %s, period: monthly}}
"""


def until(true: Callable[[], object], otherwise: Callable[[], str] = lambda: "it never came") -> None:
    """Wait until something is so; ``otherwise`` is what to say if it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.01)


@dataclass
class FakeSource:
    """Tells the same runs at every poll, or fails, or hangs."""

    runs: list[RunObservation] = field(default_factory=list)
    polls: int = 0
    error: str = ""
    hang: threading.Event | None = None
    name: str = "main"

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        self.polls += 1
        if self.hang is not None:
            self.hang.wait(30)
        if self.error:
            raise SourceError(self.error)
        yield Batch(self.runs, cursor=str(request.now_ms), swept=True)

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        return ""

    def check(self) -> list[Finding]:
        return []


class Console(ConsoleNotifier):
    """Prints into memory, and keeps the states that it was asked to show anew."""

    def __init__(self, stream: io.StringIO) -> None:
        super().__init__(stream)
        self.updates: list[dict[str, AlertState]] = []

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        self.updates.append(dict(states))


def ended_run(dollars: int = 9) -> RunObservation:
    """Return a run of this hour on a machine of a dollar a minute, by the prices of `House`."""
    now_ms = time.time_ns() // 1_000_000
    start_ms = now_ms - (dollars + 1) * 60_000
    usage = (("instance_type", "dollar.minute"),)
    return RunObservation(
        "r1", "0", "trial-14", "ann", RunStatus.FINISHED, start_ms, start_ms + dollars * 60_000, False, (), usage
    )


@dataclass
class House:
    """A folder of configuration, a database, and a daemon on them."""

    folder: Path
    store: Store
    environ: dict[str, str] = field(default_factory=lambda: {"SLACK_SIGNING_SECRET": SECRET})
    source: FakeSource = field(default_factory=lambda: FakeSource([ended_run()]))
    printed: io.StringIO = field(default_factory=io.StringIO)
    sources_made: int = 0

    def __post_init__(self) -> None:
        self.console = Console(self.printed)
        self.write("alerter.yaml", ALERTER)
        self.write("budgets.yaml", BUDGETS % 10)
        self.write("prices.yaml", 'prices: [{match: {instance_type: dollar.minute}, per_instance_hour: "60"}]\n')

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def text(self) -> str:
        return self.printed.getvalue()

    def notices(self, word: str) -> list[str]:
        """Return the receivers of the messages with a word in them."""
        with self.store.read() as connection:
            rows = query(connection, "SELECT receiver, message FROM notification ORDER BY id").all()
        return [str(receiver) for receiver, message in rows if word in str(message)]

    def wire(self, config: Config, store: Store, **settings: Any) -> Services:  # noqa: ANN401
        made = bootstrap.wire(config, store, **settings)
        return replace(made, sources=[self.source], notifiers={"console": self.console})

    @contextmanager
    def running(self, **settings: Any) -> Iterator[Running]:  # noqa: ANN401
        """Run a daemon until the block ends, which it must within its time."""
        config = load(self.folder, self.environ)
        daemon = Daemon(config, self.store, wire=self.wire, environ=self.environ, watch_s=0.1, **settings)
        stop, failed = threading.Event(), []

        def run() -> None:
            try:
                daemon.run(stop)
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=run)
        thread.start()
        try:
            until(lambda: daemon.ready.is_set() or failed)
            with httpx2.Client(base_url=daemon.url, timeout=10) as client:
                yield Running(daemon, client)
        finally:
            stop.set()
            thread.join(30)
        assert not thread.is_alive()
        assert not failed


@dataclass(frozen=True)
class Running:
    """A daemon that runs, and a client of its page."""

    daemon: Daemon
    client: httpx2.Client

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/api/alerts").json()["alerts"]
        return found

    def metric(self, line: str) -> float | None:
        """Return a sample of /metrics by its name and labels; None where there is none."""
        for each in self.client.get("/metrics").text.splitlines():
            if each.startswith(f"{line} "):
                return float(each.rpartition(" ")[2])
        return None


@pytest.fixture
def house(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    """A house whose database is a migrated file of SQLite."""
    shutil.copyfile(migrated_sqlite, tmp_path / "alerter.db")
    (tmp_path / "config").mkdir()
    with ExitStack() as stack:
        store = Store(f"sqlite:///{tmp_path / 'alerter.db'}")
        stack.callback(store.close)
        yield House(tmp_path / "config", store)
