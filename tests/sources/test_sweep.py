"""The first sync against a real server, with windows so small that everything happens between them."""

import threading
from itertools import islice
from typing import Any

import pytest

from alerter.core.usage import RunStatus
from tests.fixtures.mlflow_data import seed_runs
from tests.fixtures.mlflow_server import MlflowServer, unique
from tests.sources.conftest import MakePoller
from tests.sources.poller import DAY, HOUR, MINUTE, NOW, Poller


@pytest.fixture(params=[1, 3], ids=["one request", "three at once"])
def poller_of(request: pytest.FixtureRequest, poller_of: MakePoller) -> MakePoller:
    """Makes pollers that ask for so many windows at once."""

    def make(*experiments: str, **settings: Any) -> Poller:  # noqa: ANN401
        return poller_of(*experiments, **{"concurrency": request.param, **settings})

    return make


def seed(server: MlflowServer, experiment: str, count: int, *, every_ms: int = MINUTE, first_ms: int = 0) -> list[str]:
    first_ms = first_ms or NOW - DAY
    return seed_runs(server.database, count, experiment_id=experiment, first_start_ms=first_ms, every_ms=every_ms)


def test_every_run_once_with_its_time(mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller) -> None:
    runs = seed(mlflow_server, experiment, 50)
    poller = poller_of(experiment, page_size=7).poll()
    assert poller.times_seen == dict.fromkeys(runs, 1)
    assert [poller.runs[run].start_ms for run in runs] == [NOW - DAY + index * MINUTE for index in range(50)]
    assert [batch.swept for batch in poller.batches] == [False] * (len(poller.batches) - 1) + [True]
    assert poller.batches[-1].expected == 50
    assert all(len(batch.runs) <= 7 for batch in poller.batches)


def test_more_ties_than_fit_in_a_window(mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller) -> None:
    before = seed(mlflow_server, experiment, 3)
    ties = seed(mlflow_server, experiment, 23, every_ms=0, first_ms=NOW - HOUR)
    after = seed(mlflow_server, experiment, 3, first_ms=NOW - HOUR + 1)
    poller = poller_of(experiment, page_size=5).poll()
    assert poller.times_seen == dict.fromkeys(before + ties + after, 1)


def test_runs_inserted_meanwhile_skip_and_double_none(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    there = seed(mlflow_server, experiment, 60)
    poller = poller_of(experiment, page_size=5)
    inserted: list[str] = []
    stop = threading.Event()

    def insert() -> None:
        while not stop.is_set():
            # Before, between and after the windows that are being read.
            start_ms = NOW - DAY - HOUR + (len(inserted) * 7 % 200) * MINUTE
            inserted.append(mlflow_server.ended_run(experiment, start_ms, start_ms + HOUR))

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        poller.poll()
    finally:
        stop.set()
        thread.join()
    assert inserted
    assert {run: poller.times_seen[run] for run in there} == dict.fromkeys(there, 1)
    assert set(poller.times_seen.values()) == {1}
    poller.poll(NOW + MINUTE)
    assert set(poller.runs) == set(there + inserted)


def test_runs_erased_meanwhile_make_it_skip_none(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    runs = seed(mlflow_server, experiment, 40)
    poller = poller_of(experiment, page_size=5)
    poller.poll(after_batch=lambda number: mlflow_server.erase_run(runs[number - 1]) if number <= 5 else None)
    assert set(runs[5:]) <= set(poller.times_seen)
    assert set(poller.times_seen.values()) == {1}


def test_a_kill_after_any_batch_loses_nothing(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    runs = seed(mlflow_server, experiment, 20) + seed(mlflow_server, experiment, 9, every_ms=0, first_ms=NOW - HOUR)
    poller = poller_of(experiment, page_size=4)
    reads = 0
    while not poller.swept:
        for batch in islice(poller.polling(NOW), 2):  # then the process dies
            poller.record(batch)
            reads += len(batch.runs)
    assert set(poller.runs) == set(runs)
    # It goes on where it stopped: only what shares a window's last start, or its last page, is read again.
    assert reads <= len(runs) + len(poller.batches) // 2 * 4


def test_what_ends_while_the_sweep_goes_on_is_told_by_the_next_poll(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    early = mlflow_server.start_run(experiment, NOW - 2 * DAY)
    late = [mlflow_server.start_run(experiment, NOW - HOUR + index) for index in range(5)]
    poller = poller_of(experiment, page_size=2)
    poller.poll(after_batch=lambda number: mlflow_server.set_run(early, "FAILED", NOW) if number == 1 else None)
    assert poller.runs[early].status is RunStatus.RUNNING
    poller.poll(NOW + MINUTE)
    assert poller.runs[early].status is RunStatus.FAILED
    assert all(poller.runs[run].is_live for run in late)


def test_an_experiment_deleted_in_mid_sweep_keeps_its_runs(mlflow_server: MlflowServer, poller_of: MakePoller) -> None:
    keeps, goes = mlflow_server.experiment(), mlflow_server.experiment()
    runs = seed(mlflow_server, keeps, 6) + seed(mlflow_server, goes, 6)
    poller = poller_of(keeps, goes, page_size=3)

    def delete(number: int) -> None:
        if number == 1:
            mlflow_server.rest("experiments/delete", {"experiment_id": goes})

    poller.poll(after_batch=delete)
    assert set(poller.runs) == set(runs)
    assert any(poller.runs[run].deleted for run in runs[6:])


def test_settings_that_change_what_is_read_sweep_anew_without_forgetting_that_all_was_seen_once(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    run = mlflow_server.ended_run(experiment, NOW - 30 * DAY, NOW - 30 * DAY, params={"gpus": "4"})
    before = poller_of(experiment).poll()
    assert before.runs[run].usage == ()
    after = poller_of(experiment, usage_keys=frozenset({"gpus"}))
    after.cursor = before.cursor
    assert after.poll().runs[run].usage == (("gpus", "4"),)
    assert all(batch.swept for batch in after.batches)


def test_include_and_exclude_choose_by_glob(mlflow_server: MlflowServer, poller_of: MakePoller) -> None:
    globs = unique("globs")
    for name in (f"{globs}-a", f"{globs}-b", f"{globs}-b-old"):
        mlflow_server.ended_run(mlflow_server.experiment(name), NOW - HOUR, NOW)
    poller = poller_of()
    poller.source._include, poller.source._exclude = (f"{globs}-*",), ("*-old",)
    poller.poll()
    assert sorted(dict(run.tags)["experiment"] for run in poller.runs.values()) == [f"{globs}-a", f"{globs}-b"]


def test_nothing_to_read_is_swept_at_once(poller_of: MakePoller) -> None:
    poller = poller_of(exclude=["*"]).poll()
    assert poller.swept
    assert not poller.runs


def test_requests_at_once_go_over_nights_and_bursts(mlflow_server: MlflowServer, poller_of: MakePoller) -> None:
    """Ranges of time that are empty, or hold far more than one before, in any order."""
    experiment = mlflow_server.experiment()
    runs = seed(mlflow_server, experiment, 30, every_ms=MINUTE, first_ms=NOW - 30 * DAY)
    runs += seed(mlflow_server, experiment, 60, every_ms=7, first_ms=NOW - 20 * DAY)
    runs += seed(mlflow_server, experiment, 25, every_ms=8 * HOUR, first_ms=NOW - 19 * DAY)
    runs += seed(mlflow_server, experiment, 3, every_ms=HOUR, first_ms=NOW + DAY)  # somebody's clock is ahead
    poller = poller_of(experiment, page_size=5).poll()
    assert poller.times_seen == dict.fromkeys(runs, 1)
    starts = [run.start_ms for batch in poller.batches for run in batch.runs]
    assert starts == sorted(starts)  # so that one place tells how far it was read
