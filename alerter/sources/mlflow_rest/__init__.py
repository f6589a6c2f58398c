"""An MLflow 3 server over REST, or its store behind a local ``sqlite:///`` tracking URI.

MLflow has no change feed: page tokens are offsets, a NULL ``end_time`` hides from every comparison, filters know no OR
and no IS NULL, and a tag edited late leaves no trace. So nothing is paged by offset over rows that may move, and what
can't be asked for is seen again in turn.

**First sync** (`sweep`): windows by ``start_time`` ascending, each asked for as ``start_time >= last seen``. A run that
is inserted or deleted meanwhile moves no window; the few rows that share the last start are recognised by their id.
Offsets only get past ties longer than a window. Each window is a batch whose cursor resumes there.

**Later polls** (`refresh`) cost O(changed + running) and at most a fixed number of rows besides:

1. every unfinished run, by status (their ``end_time`` is NULL or stale);
2. each run that the ledger holds open and 1 did not show, by id: exact, whatever clocks say; one that doesn't come back
   is gone;
3. finished runs that began or ended after the watermark: the last complete poll, or the latest time seen on any run
   where that is earlier, so that neither a client's clock nor a poll evaluated "in the future" hides news;
4. runs that ended in the ``overlap`` before it, for commits that came late and clocks that run slow. Only a run that
   both began and ended between two polls can hide there (2 finds every other), so the newest `MARGIN` are read in each
   poll, and of the others `REST`, in turn;
5. a slice of all runs that touch an open period, in turn, for late tags, restores, deletions and back-dated runs: at
   least `SLICE`, as many as it takes to come round within ``resweep``, at most `SLICE_MAX` (a warning says if that is
   too few). A server that has fewer runs than `SLICE` in its open periods is therefore seen whole in every poll.

4 and 5 make a quiet poll read 325 rows however many runs there are, even if thousands of them ended a minute ago.
"""

from alerter.sources.mlflow_rest.source import MlflowRestSource

__all__ = ["MlflowRestSource"]
