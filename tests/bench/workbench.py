"""What the benchmarks share: a configuration, services on a real server, and how time and memory are read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alerter.bootstrap import wire
from alerter.config import load
from alerter.services import Services
from alerter.store.engine import Store
from alerter.store.migrate import migrate

BUDGETS = """\
defaults: {receivers: [console]}
budgets:
  - {name: everything, amount: 1000000, period: monthly}
  - {name: every-team, group_by: [team], amount: 100000, period: monthly}
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: a measured value, what it is compared with, and what it should reach."""

    name: str
    value: float
    unit: str
    target: float
    detail: str = ""

    @property
    def reached(self) -> bool:
        """Whether the value is within its target."""
        return self.value <= self.target


def write_config(
    folder: Path, tracking_uri: str, *, backend_store: str = "", budgets: str = BUDGETS, concurrency: int = 2
) -> Path:
    """Write a configuration for one source and a fresh database and return its folder."""
    config = folder / "config"
    config.mkdir(parents=True)
    store = f", backend_store: '{backend_store}'" if backend_store else ""
    (config / "alerter.yaml").write_text(
        f"sources: [{{name: main, tracking_uri: '{tracking_uri}'{store}}}]\n"
        f"database: sqlite:///{folder}/alerter.db\n"
        "receivers: [{name: console, console: {}}]\n"
        "web: {listen: '127.0.0.1:0'}\n"
        f"poll: {{every: 2s, concurrency: {concurrency}}}\n"
    )
    (config / "budgets.yaml").write_text(budgets)
    return config


@contextmanager
def services_for(
    folder: Path, tracking_uri: str, *, backend_store: str = "", budgets: str = BUDGETS, concurrency: int = 2
) -> Iterator[Services]:
    """Give services on a fresh database."""
    written = write_config(folder, tracking_uri, backend_store=backend_store, budgets=budgets, concurrency=concurrency)
    with wired(written) as services:
        yield services


@contextmanager
def wired(folder: Path) -> Iterator[Services]:
    """Give services on the database of a configuration, which is made where there is none."""
    config = load(folder)
    store = Store(config.database)
    try:
        migrate(store)
        yield wire(config, store, now_ms=now_ms())
    finally:
        store.close()


def now_ms() -> int:
    """Return the real time in epoch ms."""
    return time.time_ns() // 1_000_000


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long some work takes on the wall clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds that this process spends on some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def rss_mb(pid: int) -> float:
    """Return a process's resident memory in MB."""
    found = _memory_mb(pid, "VmRSS")
    if not found:
        raise RuntimeError(f"process {pid} has no VmRSS")
    return found


def peak_mb(pid: int) -> float:
    """Return the most resident memory that a process has had, in MB; 0 where it has ended."""
    return _memory_mb(pid, "VmHWM")


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def command(*words: str, config: Path | None = None) -> list[str]:
    """Return the command line of ``alerter``."""
    return [str(Path(sys.executable).with_name("alerter")), *words, *(["--config", str(config)] if config else [])]


def run_quietly(words: list[str]) -> None:
    """Run a command and drop what it prints.

    Raises:
        CalledProcessError: it failed.
    """
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
