"""Which statements a connection takes."""

from __future__ import annotations

from alerter.sources.mlflow_database.connection import Reading
from alerter.sources.mlflow_database.postgres import Postgres
from alerter.sources.mlflow_database.sqlite import Sqlite
from alerter.sources.mlflow_database.tables import Tables


def tables_of(reading: Reading) -> Tables:
    """Return the statements for a connection."""
    return Postgres(reading) if reading.is_postgres else Sqlite(reading)
