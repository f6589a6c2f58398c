"""Run as a program with a database's URL: migrates it again and again, each time killed at another statement.

Prints at which statements, then migrates it undisturbed. Forks, so it must not run inside pytest's process.
"""

import os
import signal
import sys

import alembic.command  # noqa: F401 - imported once, here, not in every fork
from sqlalchemy import Connection, event

from alerter.store.engine import Store
from alerter.store.migrate import REVISIONS, migrate, schema_state


def kill_at(url: str, statement: int) -> None:
    """Migrate, and die by SIGKILL before the statement of that number, or at the commit if there are fewer."""
    store = Store(url)
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    def at_commit(_: Connection) -> None:
        if seen > len(REVISIONS) + 5:  # the commits before are of transactions that only read
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(store.engine, "before_cursor_execute", count)
    event.listen(store.engine, "commit", at_commit)
    migrate(store)


def main(url: str) -> int:
    """Return 0 if every kill left the database empty."""
    for statement in (2, 6, 9, 14, 21, 28, 1000):
        child = os.fork()
        if not child:
            kill_at(url, statement)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stderr.write(f"not killed at {statement}\n")
            return 1
        store = Store(url)
        if (state := schema_state(store)) != "empty":
            sys.stderr.write(f"killed at {statement}, it is {state}\n")
            return 1
        store.close()
        sys.stdout.write(f"{statement}\n")
    migrate(Store(url))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
