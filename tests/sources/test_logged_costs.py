"""What runs log of their own cost, read from a real MLflow over both ways."""

from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.conftest import Way
from tests.sources.poller import HOUR, MINUTE, NOW

COSTS = frozenset({"metric.cost_usd", "tag.cost_usd"})


def log(server: MlflowServer, run: str, *values: float | str, first_step: int = 0) -> None:
    metrics = [
        {"key": "cost_usd", "value": value, "timestamp": NOW - HOUR + step, "step": step}
        for step, value in enumerate(values, first_step)
    ]
    server.rest("runs/log-batch", {"run_id": run, "metrics": metrics})


def test_the_latest_total_is_seen_while_a_run_goes_on(way: Way) -> None:
    server, experiment = way.server, way.experiment()
    run = server.start_run(experiment, NOW - HOUR, tags={"cost_usd": "99.5"})
    log(server, run, 0.1, 12.345678901234567)
    poller = way.poller(experiment, cost_keys=COSTS)
    seen = poller.poll().runs[run]
    assert seen.costs == (("metric.cost_usd", "12.345678901234567"), ("tag.cost_usd", "99.5"))
    log(server, run, 40, first_step=2)
    later = poller.poll(NOW + MINUTE).runs[run]
    assert dict(later.costs)["metric.cost_usd"] in {"40", "40.0"}
    assert later.usage == seen.usage == (), "a total that rises makes no new usage set"


def test_a_cost_that_is_no_number_is_told_as_such(way: Way) -> None:
    server, experiment = way.server, way.experiment()
    run = server.start_run(experiment, NOW - HOUR, tags={"cost_usd": "a lot"})
    log(server, run, "NaN")
    seen = way.poller(experiment, cost_keys=COSTS).poll().runs[run]
    assert seen.costs == ()
    assert dict(seen.usage)["logged_cost.tag.cost_usd"] == "a lot"
    assert dict(seen.usage)["logged_cost.metric.cost_usd"].lower() == "nan"
