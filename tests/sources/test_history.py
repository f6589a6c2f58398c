"""`history_from`: runs that ended before a day are left out, over every way to a real MLflow."""

from datetime import UTC, date, datetime

from tests.sources.conftest import Way
from tests.sources.poller import DAY, HOUR, NOW, Poller

FIRST = date(2026, 11, 20)
FIRST_MS = round(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)


def begun(way: Way, experiment: str) -> dict[str, str]:
    server = way.server
    return {
        "long before": server.ended_run(experiment, FIRST_MS - 9 * DAY, FIRST_MS - 8 * DAY),
        "just before": server.ended_run(experiment, FIRST_MS - 2 * HOUR, FIRST_MS - 1),
        "over midnight": server.ended_run(experiment, FIRST_MS - HOUR, FIRST_MS + HOUR),
        "still running": server.start_run(experiment, FIRST_MS - DAY),
        "after": server.ended_run(experiment, FIRST_MS + HOUR, FIRST_MS + 2 * HOUR),
    }


def test_what_ended_before_is_left_out(way: Way) -> None:
    experiment = way.experiment()
    runs = begun(way, experiment)
    counted = {runs[each] for each in ("over midnight", "still running", "after")}
    poller = way.poller(experiment, history_from=FIRST, page_size=2).poll()
    assert set(poller.runs) == counted
    assert poller.swept
    assert set(poller.poll(NOW + HOUR).runs) == counted  # nor does a later poll bring them


def test_a_run_that_is_open_is_told_whatever_its_end(way: Way) -> None:
    experiment = way.experiment()
    run = way.server.start_run(experiment, FIRST_MS - DAY)
    poller = way.poller(experiment, history_from=FIRST).poll()
    way.server.set_run(run, "FINISHED", FIRST_MS - HOUR)
    poller.poll(NOW + HOUR)
    assert poller.runs[run].end_ms == FIRST_MS - HOUR
    assert not poller.open_runs


def test_an_earlier_day_brings_the_rest(way: Way) -> None:
    experiment = way.experiment()
    runs = begun(way, experiment)
    poller = way.poller(experiment, history_from=FIRST).poll()
    earlier = Poller(way.source(experiment), cursor=poller.cursor, open_runs=set(poller.open_runs))
    assert set(earlier.poll(NOW + HOUR).runs) == set(runs.values())
