"""Run as a program with a file's name: starts `alerter run` again and again, each in a process of its own.

It reads a line of JSON an order from its standard input, writes the process' number, and when that has ended, its
wait status. The daemon is the real one; only from outside, by SQLAlchemy's events, it is seen where it is.

The first daemon writes into the file what it has imported; the later ones are born with that.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import Pool

from alerter.cli import main
from tests.crash.points import When

_SQL = "tests.crash.sql"


@dataclass(frozen=True)
class Order:
    """Run a daemon: with which configuration, how far its clock is ahead, and where it kills itself, if at all.

    It does so only once the file ``armed`` exists.
    """

    config: str
    log: str
    ahead_s: int = 0
    armed: str = ""
    thread: str = ""
    when: str = ""
    what: str = ""

    def line(self) -> str:
        """Return it as it is read."""
        return json.dumps(asdict(self)) + "\n"


def lie_in_wait(order: Order) -> None:
    """Kill this process as soon as a transaction of the thread has come as far as ordered."""
    wanted, armed = re.compile(order.what, re.DOTALL), Path(order.armed)

    def look(info: dict[str, Any], when: When) -> None:
        mine = threading.current_thread().name == order.thread and when == order.when
        if mine and wanted.search(info.get(_SQL, "")) and armed.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    def before(connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        connection.info[_SQL] = f"{connection.info.get(_SQL, '')}\n{sql}"
        look(connection.info, When.BEFORE)

    event.listen(Engine, "begin", lambda connection: connection.info.pop(_SQL, None))
    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", lambda connection, *_: look(connection.info, When.AFTER))
    event.listen(Engine, "commit", lambda connection: look(connection.info, When.COMMIT))
    event.listen(Pool, "checkin", lambda _connection, record: look(record.info, When.COMMITTED))


def be(order: Order, learnt: Path) -> None:
    """Become the daemon; never returns."""
    log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    real, ahead = time.time_ns, order.ahead_s * 1_000_000_000
    time.time_ns = lambda: real() + ahead  # nobody waits for the leases of the one before
    if order.what:
        lie_in_wait(order)
    sys.argv = ["alerter", "run", "--config", order.config]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if not learnt.exists():
            learnt.write_text(json.dumps(list(sys.modules)), encoding="utf-8")
        os._exit(code)


def take_orders(learnt: Path) -> None:
    """Do what standard input says, one after the other."""
    for line in sys.stdin:
        order = Order(**json.loads(line))
        if learnt.exists():
            learn(json.loads(learnt.read_text(encoding="utf-8")))
        child = os.fork()
        if not child:
            be(order, learnt)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


def learn(modules: Sequence[str]) -> None:
    """Import what is missing, so that a daemon starts in an instant."""
    for name in modules:
        if name not in sys.modules:
            with suppress(ImportError):
                importlib.import_module(name)


if __name__ == "__main__":
    take_orders(Path(sys.argv[1]))
