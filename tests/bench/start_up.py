"""How quickly commands answer, and how much memory the daemon takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from alerter.store.engine import Store
from alerter.store.sources import states
from tests.bench.first_sync import served
from tests.bench.workbench import Figure, command, python, rss_mb, run_quietly, seconds_of, write_config

_ROUNDS = 7
_SYNC_S = 120
_SETTLE_S = 8


def start_up(runs: int) -> Iterator[Figure]:
    """Yield the time of commands that people type, and the daemon's memory against a bare MLflow client's."""
    with served(runs) as (server, folder):
        config = write_config(folder / "one", server.uri)
        yield _timed("alerter --help", 0.3, command("--help"))
        yield _timed("alerter check --offline", 1.0, command("check", "--offline", config=config))
        yield _daemon(config, folder / "one" / "alerter.db")
        yield _timed("alerter status", 1.0, command("status", config=config))
        for words in (["status"], ["check", "--offline"], ["--help"]):
            yield _without_mlflow(words, config)


def _timed(name: str, target: float, words: list[str]) -> Figure:
    best = min(seconds_of(lambda: run_quietly(words)) for _ in range(_ROUNDS))
    return Figure(name, best, "s", target, f"minimum of {_ROUNDS}")


def _without_mlflow(words: list[str], config: Path) -> Figure:
    where = [] if words == ["--help"] else ["--config", str(config)]
    code = (
        "import sys, contextlib, io\n"
        f"sys.argv = ['alerter', *{words + where!r}]\n"
        "from alerter.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "print(int('mlflow' in sys.modules))"
    )
    return Figure(f"mlflow imported by {' '.join(words)}", float(python(code)), "times", 0)


def _daemon(config: Path, database: Path) -> Figure:
    client = "import os\nfrom mlflow import MlflowClient\nprint(open(f'/proc/{os.getpid()}/status').read())"
    lines = python(client).splitlines()
    bare = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    with subprocess.Popen(command("run", config=config), stdout=subprocess.DEVNULL, stderr=sys.stderr) as process:
        try:
            _wait_for_sync(database)
            time.sleep(_SETTLE_S)
            mine = rss_mb(process.pid)
        finally:
            os.kill(process.pid, signal.SIGTERM)
    return Figure("daemon's RSS over a bare MlflowClient's", mine - bare, "MB", 120, f"{mine:.0f} MB, {bare:.0f} MB")


def _wait_for_sync(database: Path) -> None:
    deadline = time.monotonic() + _SYNC_S
    while time.monotonic() < deadline:
        time.sleep(0.5)
        if not database.exists():
            continue
        store = Store(f"sqlite:///{database}")
        try:
            with store.read() as connection:
                if any(state.complete_ms for state in states(connection)):
                    return
        except Exception:  # noqa: BLE001, S112 - not migrated yet
            continue
        finally:
            store.close()
    raise RuntimeError("the daemon did not complete its first sync in time")
