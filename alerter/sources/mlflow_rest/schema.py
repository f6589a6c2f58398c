"""Which schema an SQLite file has, asked without MLflow: its client creates what is missing when it opens a file.

A file of another MLflow would be upgraded by that, under the server that writes it, which then stops working.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import metadata
from pathlib import Path
from urllib.parse import quote


def why_another(path: Path, shown: str, timeout_s: float) -> tuple[str, str]:
    """Return why a file is not the installed MLflow's to open, and what to do; ``("", "")`` for one that is.

    Args:
        path: the file.
        shown: its address, for people.
        timeout_s: how long to wait for a writer.

    Raises:
        sqlite3.Error: it can't be read, or MLflow has not made it.
    """
    from mlflow.store.db import utils  # noqa: PLC0415 - slow to import

    newest: str = utils._get_latest_schema_revision()  # type: ignore[no-untyped-call]  # noqa: SLF001
    with closing(sqlite3.connect(_read_only(path), uri=True, timeout=timeout_s)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("(none)",)
    if found == newest:
        return "", ""
    text = f"{shown} was written by another MLflow: its schema is {found}, "
    text += f"that of the installed MLflow {metadata.version('mlflow')} is {newest}."
    migrations = Path(utils.__file__).parents[1] / "db_migrations" / "versions"
    if any(migrations.glob(f"{found}_*.py")):
        return text, f"Upgrade the MLflow that writes it, back the file up, then run: mlflow db upgrade {shown}"
    return text, "Install the MLflow that writes it."


def _read_only(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}?mode=ro"
