"""An MLflow server's own database, read directly: for servers whose search takes longer than a poll should.

Only the statements of this package are sent: each is a SELECT of its own on about `BATCH` runs, read at once, so that
the longest lock of SQLite that MLflow's writer can meet is one such statement. SQLite is opened ``mode=ro``,
PostgreSQL with ``default_transaction_read_only``. What can't be read there (links, artifacts, spans that MLflow keeps
elsewhere) is the server's to tell, so this source is a `MlflowRestSource` too, and reads like one where the schema is
of no known MLflow.

**First sync**: in the order in which the runs lie, by ``rowid`` (SQLite) or block by block (PostgreSQL: ids are random,
so that each page in their order would lie all over the tables); the cursor resumes after each. A row that moves to a
block that was read already was written by that, and so is news.

**Later polls** read, whatever the history:

1. news. SQLite: ``rowid > last``. That numbering may change (VACUUM, an erased last run): the run at ``last`` is
   remembered and looked at first, and another one there means a new sweep. PostgreSQL has no such order: rows that a
   transaction wrote since the last poll (``xmin``), which are new *and* changed ones. No index knows that, so the
   server scans its ``runs``, but only where its statistics say that something was written at all. Where the table lies
   in another file (``VACUUM FULL``), everything is swept anew;
2. each run that the ledger holds open and 1 did not show, by primary key; one that doesn't come back is gone;
3. SQLite only: runs that run again, by their status alone, in turn through ``rowid``: `AWAKE` rows a poll;
4. a slice of all runs in turn, of which those that touch an open period are read whole, for late tags and edits: at
   least `SLICE`, as many as it takes to come round within ``resweep``, at most `SLICE_MAX`.
"""

from alerter.sources.mlflow_database.source import MlflowDatabaseSource

__all__ = ["MlflowDatabaseSource"]
