"""What any source owes, on every way to a real MLflow."""

from alerter.core.usage import RunStatus
from tests.sources.conftest import Way
from tests.sources.poller import HOUR, MINUTE, NOW

USAGE = frozenset({"instance_type", "num_nodes"})


def test_a_run_is_told_whole(way: Way) -> None:
    server, experiment = way.server, way.experiment()
    parent = server.start_run(experiment, NOW - 2 * HOUR)
    params = {"instance_type": "m5.xlarge", "lr": "0.1"}
    tags = {"team": "speech", "num_nodes": "2", "instance_type": "from a tag", "user": "mallory"}
    tags |= {"mlflow.parentRunId": parent, "mlflow.databricks.cluster.id": "c-1"}
    details = {"name": "trial <!channel>", "user": "bob"}
    run = server.ended_run(experiment, NOW - HOUR, NOW - MINUTE, params=params, tags=tags, **details)
    poller = way.poller(experiment, usage_keys=USAGE).poll()
    seen = poller.runs[run]
    assert (seen.name, seen.user) == ("trial <!channel>", "bob")
    assert (seen.experiment_id, seen.parent_uuid) == (experiment, parent)
    assert (seen.status, seen.start_ms, seen.end_ms) == (RunStatus.FINISHED, NOW - HOUR, NOW - MINUTE)
    assert not seen.deleted
    assert dict(seen.usage) == {
        "instance_type": "m5.xlarge",  # a param goes before a tag
        "num_nodes": "2",
        "mlflow.databricks.cluster.id": "c-1",
    }
    assert dict(seen.tags) == {
        "team": "speech",  # the run's own goes before its experiment's
        "cost_center": "cc-1",
        "num_nodes": "2",
        "instance_type": "from a tag",
        "experiment": server.experiment_name(experiment),
        "experiment_id": experiment,
        "user": "bob",  # what MLflow says, not a tag of that name
        "source": "main",
        "workspace": "default",
    }
    assert seen.tags == tuple(sorted(seen.tags))


def test_a_run_is_followed_through_its_life(way: Way) -> None:
    server, experiment = way.server, way.experiment()
    poller = way.poller(experiment).poll()
    assert poller.swept
    assert not poller.runs

    run = server.start_run(experiment, NOW + MINUTE, metric_ms=NOW + 90_000)
    begun = poller.poll(NOW + 2 * MINUTE).runs[run]
    assert (begun.is_live, begun.last_metric_ms) == (True, NOW + 90_000)
    assert way.poller(experiment).poll(NOW + 2 * MINUTE).runs[run].last_metric_ms == NOW + 90_000

    server.set_run(run, "FINISHED", NOW + 3 * MINUTE)
    ended = poller.poll(NOW + 4 * MINUTE).runs[run]
    assert (ended.status, ended.end_ms) == (RunStatus.FINISHED, NOW + 3 * MINUTE)
    assert ended.last_metric_ms == NOW + 90_000

    server.set_run(run, "RUNNING")
    resumed = poller.poll(NOW + 5 * MINUTE).runs[run]
    assert resumed.is_live
    assert resumed.end_ms == NOW + 3 * MINUTE  # MLflow keeps the old one

    server.delete_run(run)
    deleted = poller.poll(NOW + 6 * MINUTE).runs[run]
    assert (deleted.status, deleted.deleted) == (RunStatus.RUNNING, True)

    server.restore_run(run)
    assert poller.poll(NOW + 7 * MINUTE).runs[run].is_live

    server.erase_run(run)
    assert poller.poll(NOW + 8 * MINUTE).gone == {run}
    assert not poller.poll(NOW + 9 * MINUTE).batches[-1].gone


def test_a_scheduled_run_is_followed_too(way: Way) -> None:
    server, experiment = way.server, way.experiment()
    poller = way.poller(experiment).poll()
    run = server.start_run(experiment, NOW)
    server.set_run(run, "SCHEDULED")
    assert poller.poll(NOW + MINUTE).runs[run].status is RunStatus.SCHEDULED
    server.set_run(run, "RUNNING")
    assert poller.poll(NOW + 2 * MINUTE).runs[run].is_live


def test_a_store_that_cannot_be_read_is_a_finding_and_never_an_exception(way: Way) -> None:
    (finding, *_) = way.source(way.experiment()).check()
    assert (finding.level, finding.subject) == ("ok", "source main")
    assert "1 of" in finding.text
    (nothing, *_) = way.source(exclude=["*"]).check()
    assert nothing.level == "warning"
    assert "include and exclude" in nothing.remedy
