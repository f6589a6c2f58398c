"""Several `alerter run` on one PostgreSQL and one MLflow, each in a folder of its own, telling one webhook."""

import json
import os
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy.engine import make_url

from alerter.notifiers.webhook.signature import event_id
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.sources import states
from tests.daemon.conftest import until
from tests.daemon.test_process import COMMAND, MINUTE, Process
from tests.fixtures.http_receiver import HttpReceiver, ReceiverStarter
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.store import PostgresServer
from tests.fixtures.tcp_proxy import TcpProxy

EVERY_S = 4.0
AWAY_S = 62
"""How long a database is stopped that goes away for a minute."""
BUDGET = "  - {{name: b{number:04}, amount: 10, period: yearly, receivers: [hook{way}]}}\n"
SECRETS = {"WEBHOOK_SECRET": "a-made-up-secret", "PYTHONWARNINGS": "error::ResourceWarning"}
Proxies = Callable[[tuple[str, int] | str], TcpProxy]


@dataclass
class Fleet:
    """The daemons, what they watch, and what they told; ``source``, ``poll`` and ``more`` are further settings."""

    folder: Path
    mlflow: MlflowServer
    experiment: str
    store: Store
    hook: HttpReceiver
    proxies: Proxies
    stack: ExitStack
    budgets: int = 1
    ways: int = 1
    source: str = ""
    poll: str = ""
    more: str = ""
    started: list[Process] = field(default_factory=list)

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.store.url.render_as_string(hide_password=False)

    def spend(self, dollars: int) -> None:
        """Let a run end that cost so much."""
        now = time.time_ns() // 1_000_000
        params = {"instance_type": "dollar.minute"}
        self.mlflow.ended_run(self.experiment, now - (dollars + 1) * MINUTE, now - MINUTE, params=params)

    def start(self, *, database: str = "", mlflow: str = "") -> Process:
        """Start a daemon; by other addresses of the same database and the same MLflow where they are given."""
        folder = self.folder / f"daemon-{len(self.started)}"
        self._write(folder / "config", database or self.database)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "SLACK_"))}
        environ = kept | SECRETS | {"MLFLOW_TRACKING_URI": mlflow or self.mlflow.uri}
        with (folder / "out").open("ab") as out, (folder / "err").open("ab") as err:
            popen = subprocess.Popen([COMMAND, "run", "--verbose"], cwd=folder, env=environ, stdout=out, stderr=err)
        self.stack.callback(popen.wait, 10)
        self.stack.callback(popen.kill)
        process = Process(folder, environ, popen)
        self.started.append(process)
        process.url()
        return process

    def start_all(self, count: int) -> list[Process]:
        """Start daemons one after the other; the first one polls."""
        return [self.start() for _ in range(count)]

    def proxied_database(self) -> tuple[TcpProxy, str]:
        """Return a line to the database that can be cut, and the address at its near end."""
        url = make_url(self.database)
        proxy = self.proxies(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}")
        near = url.set(host="127.0.0.1", port=proxy.port, query={})
        return proxy, near.render_as_string(hide_password=False)

    def proxied_mlflow(self) -> tuple[TcpProxy, str]:
        """Return a line to MLflow that can be held, and the address at its near end."""
        proxy = self.proxies(("127.0.0.1", urlsplit(self.mlflow.uri).port or 0))
        return proxy, f"http://127.0.0.1:{proxy.port}"

    def epoch(self) -> int:
        """Return how often the right to poll has changed hands."""
        with self.store.read() as connection:
            return int(query(connection, "SELECT epoch FROM lease").scalar() or 0)

    def kill_the_polling_one(self) -> tuple[int, Process]:
        """Kill whichever polls; return how often the right to poll had changed hands before, and who it was."""
        polling: list[Process] = []

        def one_polls() -> bool:
            polling.extend(each for each in self.started if role(each) == "polls")
            return bool(polling)

        until(one_polls, self.logs)
        epoch = self.epoch()
        polling[0].popen.kill()
        return epoch, polling[0]

    def polls_after(self, at_ms: int) -> bool:
        """Whether a poll that began after an instant is complete."""
        with self.store.read() as connection:
            return any((each.complete_ms or 0) > at_ms for each in states(connection))

    def polled(self) -> None:
        """Wait for a poll that begins now."""
        now_ms = time.time_ns() // 1_000_000
        until(lambda: self.polls_after(now_ms), self.logs)

    def taken_over(self, epoch: int) -> None:
        """Wait until another process polls; how long that takes on an idle machine is for the benchmarks to say."""
        with self.store.read() as connection:
            left = "SELECT until_ms - CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) FROM lease"
            assert int(query(connection, left).scalar_one()) <= EVERY_S * 1000  # nothing to wait for after that
        until(lambda: self.epoch() > epoch, self.logs)
        self.polled()

    def told(self) -> dict[str, Counter[str]]:
        """Return, by alert and threshold, how often each message of it came."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for each in tuple(self.hook.requests):
            body = json.loads(each.body)
            if body["event"] == "told":
                for alert in body["alerts"]:
                    found[f"{alert['id']} {alert['threshold']}"][each.headers["webhook-id"]] += 1
        return found

    def told_of(self, count: int) -> None:
        """Wait until so many alerts were told, for as long as there is some progress."""
        before = len(self.hook.requests)
        while len(self.told()) < count:
            until(lambda: len(self.hook.requests) > before, self.logs)  # noqa: B023 - called at once
            before = len(self.hook.requests)  # before they are looked at: the last one may come meanwhile

    def unsure(self) -> set[str]:
        """Return the ids of what a daemon says it may have to tell twice: its post had no answer in time."""
        lines = [each for process in self.started for each in process.log().splitlines()]
        return {event_id(each.partition(" key=")[2].split()[0]) for each in lines if "not delivered key=" in each}

    def told_once(self, count: int) -> None:
        """Check that there are so many alerts, each told by one message that came once, and that the ledger agrees."""
        found = self.told()
        assert len(found) == count
        assert {key: each for key, each in found.items() if list(each.values()) != [1]} == {}
        self.verify()

    def verify(self) -> None:
        """Check that every total agrees with its charges."""
        last = self.started[-1]
        done = subprocess.run(
            [COMMAND, "ledger", "verify"],
            cwd=last.folder,
            env=last.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def logs(self) -> str:
        return "\n".join(each.log()[-3000:] for each in self.started)

    def _write(self, config: Path, database: str) -> None:
        config.mkdir(parents=True)
        name = self.mlflow.experiment_name(self.experiment)
        hook = f"http://127.0.0.1:{self.hook.port}"
        hooks = [f"{{name: hook{way}, webhook: {{url: '{hook}/{way}'}}}}" for way in range(self.ways)]
        (config / "alerter.yaml").write_text(
            f"sources: [{{name: main, experiments: {{include: ['{name}']}}{self.source}}}]\ndatabase: '{database}'\n"
            f"poll: {{every: {EVERY_S:g}s{self.poll}}}\nreceivers: [{', '.join(hooks)}]\n"
            f"web: {{listen: '127.0.0.1:0'}}\n{self.more}",
            encoding="utf-8",
        )
        lines = [BUDGET.format(number=number, way=number % self.ways) for number in range(self.budgets)]
        (config / "budgets.yaml").write_text("budgets:\n" + "".join(lines), encoding="utf-8")
        (config / "prices.yaml").write_text(
            'prices: [{match: {instance_type: dollar.minute}, per_instance_hour: "60"}]\n', encoding="utf-8"
        )


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that may be stopped."""
    with closing(PostgresServer(tmp_path)) as server:
        yield server


@pytest.fixture
def fleet(
    tmp_path: Path,
    mlflow_server: MlflowServer,
    postgres_store_url: str,
    start_http_receiver: ReceiverStarter,
    tcp_proxy: Proxies,
) -> Iterator[Fleet]:
    """Nothing started yet; a run has spent a dollar, so that no budget is near its threshold."""
    experiment, hook = mlflow_server.experiment(), start_http_receiver(tls=False)
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store(postgres_store_url)))
        made = Fleet(tmp_path, mlflow_server, experiment, store, hook, tcp_proxy, stack)
        made.spend(1)
        yield made


def role(process: Process) -> str:
    """Return what a daemon says it does."""
    return str(httpx2.get(f"{process.url()}/healthz", timeout=60).json()["role"])
