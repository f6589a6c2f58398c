"""What a killed daemon stands between: MLflow, Slack, SMTP, and its own database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.points import MAIL, SLACK, Point
from tests.crash.victim import Order
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.scripted_slack import FORWARD, ScriptedSlack, serve_script
from tests.fixtures.slack_emulator import SlackServer
from tests.fixtures.smtp_server import Certificates, SmtpServer, serve_smtp

CHANNEL = "ml-costs"
MINUTE = 60_000
PATIENCE_S = 60.0

_ALERTER = """\
sources: [{{name: main, tracking_uri: "{mlflow}", experiments: {{include: ["{name}"]}}}}]
database: sqlite:///{folder}/alerter.db
poll: {{every: 500ms}}
receivers:
  - name: ml-costs
    slack: {{channel: "#ml-costs"}}
    email: {{to: [ml-costs@example.com]}}
slack: {{base_url: "{slack}"}}
email: {{host: localhost, port: {smtp}, from: budgets@example.com, ca_file: {ca_file}}}
web: {{listen: "127.0.0.1:0"}}
"""
_BUDGETS = """\
budgets:
  - {{name: {name}, amount: 10, period: {{rolling_days: 30}}, receivers: [ml-costs]}}
"""
_PRICES = 'catalogs: []\nprices: [{match: {instance_type: dollar.minute}, per_instance_hour: "60"}]\n'


@dataclass
class Stage:
    """The servers between which one daemon at a time lives and dies; `fatal` is where a server kills it."""

    folder: Path
    mlflow: MlflowServer
    slack: SlackServer
    front: ScriptedSlack
    smtp: SmtpServer
    victims: subprocess.Popen[str]
    fatal: Point | None = None
    pid: int = 0
    killing: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, thread: str, method: str, when: str) -> None:
        """Kill the daemon if this is where it should die."""
        with self.killing:
            fatal = self.fatal
            if fatal and (fatal.thread, fatal.what, fatal.when.name.lower()) == (thread, method, when):
                self.fatal = None
                os.kill(self.pid, signal.SIGKILL)

    def start(self, order: Order) -> None:
        """Start a daemon."""
        assert self.victims.stdin is not None
        self.victims.stdin.write(order.line())
        self.victims.stdin.flush()
        self.pid = int(self._line())

    def ended(self) -> int:
        """Wait for the daemon's end and return the signal that killed it, or 0; a failure raises."""
        status = int(self._line())
        if os.WIFSIGNALED(status):
            return os.WTERMSIG(status)
        if os.WEXITSTATUS(status):
            raise RuntimeError(f"the daemon ended with {os.WEXITSTATUS(status)}; see its log in {self.folder}")
        return 0

    def stop(self) -> None:
        """End the daemon as people do."""
        os.kill(self.pid, signal.SIGTERM)
        assert self.ended() == 0

    def clear(self) -> None:
        """End whatever is left of a round that failed."""
        with self.killing:
            self.fatal = None
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            self._line()

    def _line(self) -> str:
        assert self.victims.stdout is not None
        line = self.victims.stdout.readline()
        if not line:
            raise RuntimeError("the victims' program has ended")
        return line


@contextmanager
def stage(folder: Path, mlflow: MlflowServer, slack: SlackServer, certificates: Certificates) -> Iterator[Stage]:
    """Set up servers and a program that starts daemons; all of it ends with the block."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "SLACK_", "SMTP_"))}
    front = ScriptedSlack(upstream=slack.base_url, otherwise=FORWARD)
    with serve_script(front), serve_smtp(certificates) as smtp:
        environ |= {"SLACK_BOT_TOKEN": slack.token, "SMTP_USERNAME": smtp.username, "SMTP_PASSWORD": smtp.password}
        command = [sys.executable, "-m", "tests.crash.victim", str(folder.parent / "modules.json")]
        root = Path(__file__).parents[2]
        victims = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
            cwd=root,
            start_new_session=True,  # a Ctrl-C is for us
        )
        made = Stage(folder, mlflow, slack, front, smtp, victims)
        front.watch = lambda method, when: made.asked(SLACK, method, when)
        smtp.watch = lambda when: made.asked(MAIL, "chat.postMessage", when)
        try:
            yield made
        finally:
            if made.pid and victims.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(made.pid, signal.SIGKILL)
            victims.communicate(timeout=20)


@dataclass(frozen=True)
class Ledger:
    """A daemon's folder: its configuration, its log, its database."""

    folder: Path
    name: str

    @property
    def order(self) -> Order:
        """How a daemon is started in it."""
        return Order(str(self.folder / "config"), str(self.folder / "first.log"))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the database while the daemon writes it; nothing as long as it isn't there."""
        try:
            with closing(sqlite3.connect(f"file:{self.folder}/alerter.db?mode=ro", uri=True)) as database:
                return database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []

    def settled(self, number: int) -> bool:
        """Whether so many notifications stand there, all of them delivered and showing the present."""
        sql = "SELECT status, update_wanted - update_shown FROM notification"
        return self.rows(sql) == [("sent", 0)] * number

    def log(self) -> str:
        """Return the end of what each of its daemons logged."""
        files = sorted(self.folder.glob("*log"))
        return "\n".join(f"{each.name}:\n{each.read_text(encoding='utf-8')[-3000:]}" for each in files)

    def taken_over(self) -> bool:
        """Whether the second daemon has looked around: it would tell by now what it shouldn't."""
        log = self.folder / "second.log"
        return log.exists() and "cycle done" in log.read_text(encoding="utf-8")


def ledger(scene: Stage, name: str, template: Path | None) -> Ledger:
    """Make a folder for a daemon that watches an experiment of this name, with a database if there is one to copy."""
    folder = scene.folder / name
    (folder / "config").mkdir(parents=True)
    text = _ALERTER.format(
        mlflow=scene.mlflow.uri,
        name=name,
        folder=folder,
        slack=scene.front.base_url,
        smtp=scene.smtp.port,
        ca_file=scene.smtp.ca_file,
    )
    for file, content in (("alerter", text), ("budgets", _BUDGETS.format(name=name)), ("prices", _PRICES)):
        (folder / "config" / f"{file}.yaml").write_text(content, encoding="utf-8")
    if template is not None:
        shutil.copyfile(template, folder / "alerter.db")
    return Ledger(folder, name)


def spend(server: MlflowServer, experiment: str, dollars: float) -> None:
    """Log a run that has cost so much; it gets a price only once it has ended, so a poll sees all or nothing."""
    end_ms = time.time_ns() // 1_000_000 - MINUTE // 2  # before any poll that may be under way: it clamps to its begin
    run = server.ended_run(experiment, round(end_ms - dollars * MINUTE), end_ms)
    server.rest("runs/log-parameter", {"run_id": run, "key": "instance_type", "value": "dollar.minute"})


def eventually(true: Callable[[], object], what: Callable[[], str]) -> None:
    """Wait until something is so; else tell what should have been.

    Raises:
        TimeoutError: it isn't.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(what())
        time.sleep(0.02)
