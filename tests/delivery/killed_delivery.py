"""Run as a program with a database's URL and a file: delivers into the file, killed again and again.

Each round is a process of its own that dies by SIGKILL at the point it is told, which is printed; the last one lives.
A round begins when the leases of the one before have ended: on a clock that is handed on, so nobody waits.
"""

import os
import signal
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Event

from sqlalchemy import event

from alerter.core.alerts import AlertState, Message
from alerter.core.ports import Finding, Receipt, Target
from alerter.delivery import deliver_due
from alerter.store.engine import Store

STEP_MS = 60_000
POINTS = [
    ("commit", 2),  # each of the first commits of a pass: the look at what is due, the claim, the beginning ...
    ("commit", 3),
    ("commit", 4),
    ("before_post", 1),
    ("after_post", 1),
    ("commit", 5),
    ("after_post", 2),
    ("commit", 6),
    ("before_post", 3),
    ("commit", 7),
    ("after_post", 3),
]


class FileService:
    """A notifier that appends a line a message to a file, which stands for the service: it survives."""

    kind = "slack"

    def __init__(self, path: Path, point: str, number: int) -> None:
        self.path, self.point, self.left = path, point, number

    def die_at(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        self.die_at("before_post")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{key}\n")
        self.die_at("after_post")
        return Receipt({"key": f"{target.receiver}{message.kind}{len(states)}"})

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        lines = self.path.read_text(encoding="utf-8").split() if self.path.exists() else []
        return Receipt({"receiver": target.receiver, "since": f"{since_ms}"}) if key in lines else None

    def update(self, *_: object) -> None:
        """Nothing here changes its state."""

    def check(self, targets: Collection[Target]) -> list[Finding]:
        return [Finding("ok", each.receiver, "a file") for each in targets]


def deliver(url: str, path: Path, now_ms: int, point: str, number: int) -> None:
    """Deliver until nothing is due, or until the point is reached for the number-th time."""
    store = Store(url)
    service = FileService(path, point, number)
    event.listen(store.engine, "commit", lambda _: service.die_at("commit"))
    while deliver_due(store, {"slack": service}, clock=lambda: now_ms, owner=str(os.getpid()), stop=Event()):
        pass
    store.close()


def forgotten(url: str) -> None:
    """Wait until PostgreSQL has noticed who died: what they had locked is passed over until then."""
    store = Store(url)
    if store.url.get_backend_name() == "postgresql":
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while _count(store, others):
            time.sleep(0.02)
    store.close()


def _count(store: Store, sql: str) -> int:
    with store.read() as connection:
        return int(connection.exec_driver_sql(sql).scalar() or 0)


def main(url: str, path: Path) -> int:
    """Return 0 if every round but the last was killed."""
    now_ms = 1_795_439_100_000
    for point, number in POINTS:
        now_ms += STEP_MS
        child = os.fork()
        if not child:
            deliver(url, path, now_ms, point, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stderr.write(f"not killed at {point} {number}\n")
            return 1
        sys.stdout.write(f"{point} {number}\n")
        forgotten(url)
    deliver(url, path, now_ms + STEP_MS, "", 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
