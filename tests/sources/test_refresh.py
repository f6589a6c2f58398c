"""Later polls against a real server: news is told at once, everything else in turn, and a quiet poll stays small."""

import pytest

from alerter.core.usage import RunStatus
from alerter.sources.mlflow_rest.refresh import MARGIN, REST, SLICE, SLICE_MAX, Pace
from tests.fixtures.mlflow_data import end_runs, seed_runs
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.conftest import MakePoller
from tests.sources.poller import DAY, HOUR, MINUTE, NOW


def no_slice_reaches_it(server: MlflowServer, experiment: str) -> None:
    """Fill what a poll reads of closed periods, so that what else is told was found otherwise."""
    seed_runs(server.database, 2 * SLICE + 1, experiment_id=experiment, first_start_ms=NOW - 40 * DAY)


def test_a_run_between_two_polls_is_told(mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller) -> None:
    poller = poller_of(experiment).poll()
    run = mlflow_server.ended_run(experiment, NOW + 10_000, NOW + 20_000)
    assert run in poller.poll(NOW + MINUTE).runs


def test_a_run_by_a_slow_clock_is_told(mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller) -> None:
    mlflow_server.ended_run(experiment, NOW - HOUR, NOW - MINUTE)
    no_slice_reaches_it(mlflow_server, experiment)
    poller = poller_of(experiment, resweep_s=1e9).poll()
    poller.horizon_ms = NOW + DAY
    run = mlflow_server.ended_run(experiment, NOW - 10 * MINUTE, NOW - 9 * MINUTE)
    assert run in poller.poll(NOW + MINUTE).runs


def test_a_run_that_ended_without_an_end_is_told(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    poller = poller_of(experiment).poll()
    run = mlflow_server.start_run(experiment, NOW + 1)
    mlflow_server.set_run(run, "KILLED")
    seen = poller.poll(NOW + MINUTE).runs[run]
    assert (seen.status, seen.end_ms) == (RunStatus.KILLED, None)


def test_a_poll_evaluated_in_the_future_hides_no_news(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    mlflow_server.ended_run(experiment, NOW - HOUR, NOW - MINUTE)
    no_slice_reaches_it(mlflow_server, experiment)
    poller = poller_of(experiment).poll()
    poller.horizon_ms = NOW + 60 * DAY
    poller.poll(NOW + 30 * DAY)
    run = mlflow_server.ended_run(experiment, NOW, NOW + MINUTE)
    assert run in poller.poll(NOW + 2 * MINUTE).runs


def test_a_run_from_the_future_is_told_and_hides_no_news(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    future = mlflow_server.ended_run(experiment, NOW + 900 * DAY, NOW + 901 * DAY)
    poller = poller_of(experiment).poll()
    assert future in poller.runs
    run = mlflow_server.ended_run(experiment, NOW + 1, NOW + 2)
    assert run in poller.poll(NOW + MINUTE).runs


def test_runs_from_the_far_future_are_not_news_in_every_poll(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    runs = seed_runs(mlflow_server.database, 300, experiment_id=experiment, first_start_ms=NOW + 400 * DAY)
    poller = poller_of(experiment).poll()
    assert set(poller.runs) == set(runs)
    assert len(poller.poll(NOW + MINUTE).times_seen) <= SLICE


def test_a_late_tag_and_a_backdated_run_are_seen_in_turn(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    old = mlflow_server.ended_run(experiment, NOW - 5 * DAY, NOW - 4 * DAY, tags={"team": "speech"})
    over = mlflow_server.ended_run(experiment, NOW - 40 * DAY, NOW - 4 * DAY)
    closed = mlflow_server.ended_run(experiment, NOW - 40 * DAY, NOW - 39 * DAY)
    poller = poller_of(experiment).poll()
    for run in (old, over, closed):
        mlflow_server.rest("runs/set-tag", {"run_id": run, "key": "team", "value": "nlp"})
    backdated = mlflow_server.ended_run(experiment, NOW - 3 * DAY, NOW - 2 * DAY)
    long_ago = mlflow_server.ended_run(experiment, NOW - 80 * DAY, NOW - 79 * DAY)
    poller.poll(NOW + MINUTE)
    assert {backdated, long_ago} <= poller.runs.keys()
    assert [dict(poller.runs[run].tags)["team"] for run in (old, over, closed)] == ["nlp", "nlp", "nlp"]


def test_closed_periods_are_read_in_turn_with_what_the_slice_has_left(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    past = seed_runs(mlflow_server.database, SLICE + 50, experiment_id=experiment, first_start_ms=NOW - 40 * DAY)
    seed_runs(mlflow_server.database, SLICE // 2, experiment_id=experiment, first_start_ms=NOW - 5 * DAY)
    poller = poller_of(experiment).poll()
    told: list[str] = []
    for number in range(1, 5):
        poller.poll(NOW + number * MINUTE)
        assert len(poller.times_seen) <= SLICE
        told += set(poller.times_seen) & set(past)
    assert set(told) == set(past)


def test_an_experiments_new_tag_reaches_its_runs(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    run = mlflow_server.ended_run(experiment, NOW - HOUR, NOW - MINUTE)
    poller = poller_of(experiment).poll()
    body = {"experiment_id": experiment, "key": "team", "value": "nlp"}
    mlflow_server.rest("experiments/set-experiment-tag", body)
    assert dict(poller.poll(NOW + MINUTE).runs[run].tags)["team"] == "nlp"


def test_a_quiet_poll_reads_no_more_than_its_bounds_even_if_all_ended_just_now(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    bound = MARGIN + REST + SLICE
    runs = seed_runs(
        mlflow_server.database, bound + SLICE, experiment_id=experiment, first_start_ms=NOW - HOUR, every_ms=200
    )
    poller = poller_of(experiment).poll(NOW + 10 * MINUTE)
    seen: set[str] = set()
    polls = 0
    while seen != set(runs):
        polls += 1
        poller.poll(NOW + 10 * MINUTE + polls * MINUTE)
        assert 0 < sum(poller.times_seen.values()) <= bound
        assert set(poller.times_seen.values()) == {1}
        assert len(poller.batches) == 1
        seen |= set(poller.times_seen)
        assert polls <= bound // SLICE + 2


def test_a_turn_gets_past_more_ties_than_it_reads_at_once(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    count = 2 * SLICE + 40
    runs = seed_runs(mlflow_server.database, count, experiment_id=experiment, first_start_ms=NOW - DAY, every_ms=0)
    poller = poller_of(experiment).poll()
    seen: set[str] = set()
    for number in range(1, 5):  # one more than the rows need: the tie is met, then walked through
        seen |= set(poller.poll(NOW + number * MINUTE).times_seen)
    assert seen == set(runs)


def test_runs_deleted_while_running_do_not_pile_up(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    run = mlflow_server.start_run(experiment, NOW - 60 * DAY)
    poller = poller_of(experiment).poll()
    mlflow_server.delete_run(run)
    assert poller.poll(NOW + MINUTE).runs[run].deleted
    assert run not in poller.poll(NOW + 2 * MINUTE).times_seen


def test_many_open_runs_that_end_at_once_are_all_told(
    mlflow_server: MlflowServer, experiment: str, poller_of: MakePoller
) -> None:
    runs = seed_runs(
        mlflow_server.database,
        130,
        experiment_id=experiment,
        first_start_ms=NOW - 60 * DAY,
        every_ms=1,
        running=130,
    )
    poller = poller_of(experiment, page_size=50).poll()
    assert poller.open_runs == set(runs)
    mlflow_server.erase_run(runs[0])
    # Ended long ago by the clients' word: no window of time would find them.
    end_runs(mlflow_server.database, runs[1:], NOW - 59 * DAY)
    poller.poll(NOW + MINUTE)
    assert not poller.open_runs
    assert poller.gone == {runs[0]}
    assert poller.runs[runs[-1]].end_ms == NOW - 59 * DAY


@pytest.mark.parametrize(
    ("runs", "size", "enough"),
    [(0, SLICE, True), (5_000, SLICE, True), (100_000, 306, True), (1_000_000, SLICE_MAX, False)],
)
def test_a_slice_is_sized_to_come_round_in_time(runs: int, size: int, enough: bool) -> None:  # noqa: FBT001
    pace = Pace(poll_every_s=60, overlap_s=900, resweep_s=21_600)
    assert (pace.slice_size(runs), pace.is_enough(runs)) == (size, enough)
