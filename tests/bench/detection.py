"""From a run's end to its alert: very many crossings at once, each to a channel of its own, by a real daemon."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from subprocess import Popen
from typing import Any

from alerter.store.engine import Store
from alerter.store.sources import states
from tests.bench.mlflow_database import add_runs, make_database
from tests.bench.workbench import Figure, command, now_ms

_PATIENCE_S = 400
_PRICES = 'prices: [{match: {instance_type: "*"}, per_instance_hour: "1"}]\n'


def detection(crossings: int, every_s: float) -> Iterator[Figure]:
    """Yield how long after their runs' end the last but one per cent of the messages were accepted, in seconds."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        store = f"sqlite:///{folder}/mlflow.db"
        make_database(store, 100, now_ms() - 3_600_000)
        slack = _started(stack, [sys.executable, "-m", "tests.bench.slack_stand_in"], folder / "slack")
        port = int(slack.stdout.readline()) if slack.stdout else 0
        environ = os.environ | {"SLACK_BOT_TOKEN": "xoxb-a-bench", "SLACK_SIGNING_SECRET": "a-bench"}
        words = command("run", config=_configured(folder, store, port, crossings, every_s))
        daemon = _started(stack, words, folder / "daemon", environ)
        database = folder / "alerter.db"
        _until(lambda: _polls(database) > 0)
        first = _polls(database)
        _until(lambda: _polls(database) > first)  # it has just polled: the next time is farthest away
        ended = time.time()
        _end(store, crossings)
        before = _cpu_s(daemon.pid)
        _until(lambda: _asked(port, "count") >= crossings)
        spent = _cpu_s(daemon.pid) - before
        waited = sorted(min(each) - ended for each in _asked(port, "times").values())
    late = waited[max(0, len(waited) * 99 // 100 - 1)]
    detail = f"median {waited[len(waited) // 2]:.2f} s, the last {waited[-1]:.2f} s; a poll every {every_s:g} s, "
    detail += f"runs that end just after one; {spent * 1000 / crossings:.1f} ms of the daemon's CPU a message"
    yield Figure(f"{crossings} crossings told, 99 of 100", late, "s", every_s + 2, detail)


def _started(stack: ExitStack, words: list[str], log: Path, environ: dict[str, str] | None = None) -> Popen[bytes]:
    process = Popen(words, stdout=subprocess.PIPE, stderr=log.open("wb"), env=environ)
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    return process


def _configured(folder: Path, store: str, port: int, crossings: int, every_s: float) -> Path:
    config = folder / "config"
    config.mkdir()
    receivers = "\n".join(
        f"  - {{name: bench-{number}, slack: {{channel: C{number:08}}}}}" for number in range(crossings)
    )
    (config / "alerter.yaml").write_text(
        f"sources: [{{name: main, tracking_uri: 'http://127.0.0.1:9', backend_store: '{store}'}}]\n"
        f"database: sqlite:///{folder}/alerter.db\npoll: {{every: {every_s:g}s}}\n"
        f"slack: {{mode: http, base_url: 'http://127.0.0.1:{port}/api/'}}\nweb: {{listen: '127.0.0.1:0'}}\n"
        f"receivers:\n{receivers}\n"
    )
    (config / "budgets.yaml").write_text(
        "budgets:\n  - {name: each, group_by: [user], match: {user: 'bench-*'}, amount: 10, period: yearly, "
        'receivers: ["{user}"]}\n'
    )
    (config / "prices.yaml").write_text(_PRICES)
    return config


def _end(store: str, crossings: int) -> None:
    """Add runs that end now, each of a user of its own and dear enough to cross one threshold: $9 of 10."""
    now = now_ms()
    add_runs(store, "crossing", crossings, now)
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"), timeout=30)) as connection, connection:
        times = "user_id = 'bench-' || substr(run_uuid, 10), start_time = ?, end_time = ?"
        sql = f"UPDATE runs SET {times} WHERE run_uuid LIKE ?"  # noqa: S608 - from above
        connection.execute(sql, (now - 9 * 3_600_000, now, "crossing-%"))
        connection.execute("DELETE FROM params WHERE key = 'num_workers' AND run_uuid LIKE 'crossing-%'")


def _polls(database: Path) -> int:
    """Return when the last complete poll was, in epoch ms; 0 before the first."""
    if not database.exists():
        return 0
    store = Store(f"sqlite:///{database}")
    try:
        with store.read() as connection:
            return max((each.complete_ms or 0 for each in states(connection)), default=0)
    except Exception:  # noqa: BLE001 - not migrated yet
        return 0
    finally:
        store.close()


def _asked(port: int, what: str) -> Any:  # noqa: ANN401 - as the stand-in says
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=60) as answer:
        return json.load(answer)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError("it never came")
        time.sleep(0.1)


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has taken."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
