"""LoggedModels in MLflow's own database are told as they come and change, whatever was read before."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from sqlalchemy import NullPool, create_engine, text

from alerter.sources.mlflow_rest import MlflowRestSource
from tests.scans.plans import sent
from tests.sources.conftest import Way
from tests.sources.poller import NOW

MANY = 1_100
"""More than a page of them."""

_MODEL = (
    "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms, "
    "last_updated_timestamp_ms, status, lifecycle_stage) VALUES (:id, :experiment, 'm', 'm', :at, :at, 2, 'active')"
)


def told(source: MlflowRestSource, since_ms: int = 0) -> dict[str, bool]:
    """Return what a read tells: which models, and whether each is ready."""
    return {each.artifacts.model_id: each.ready for batch in source.models(since_ms, 500) for each in batch.models}


def tags(source: MlflowRestSource, model_id: str) -> dict[str, str]:
    """Return the tags with which a read tells a model; none where it doesn't."""
    found = {each.artifacts.model_id: each.tags for batch in source.models(0, 500) for each in batch.models}
    return dict(found.get(model_id, ()))


def asks(source: MlflowRestSource) -> bool:
    """Whether a read asks for models at all."""
    with sent() as statements:
        told(source)
    return any("FROM logged_models" in each.sql for each in statements)


def patiently(look: Callable[[], object], *, wanted: object) -> None:
    """Look until that is found: statistics of PostgreSQL come some seconds late, times of files some too early."""
    deadline = time.monotonic() + 60
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == wanted


@contextmanager
def models(store: str, experiment: str, names: Sequence[str]) -> Iterator[None]:
    """Have models that are ready, each a millisecond after the one before; other tests read this server too."""
    engine = create_engine(store, poolclass=NullPool)
    rows = [{"id": each, "experiment": int(experiment), "at": NOW + at} for at, each in enumerate(names)]
    with engine.begin() as connection:
        connection.execute(text(_MODEL), rows)
    yield
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM logged_models WHERE model_id = :id"), rows)


def test_after_a_whole_read_all_that_is_written_is_told(database: Way) -> None:
    client, experiment = MlflowClient(database.server.uri), database.experiment()
    source = database.source(experiment)
    external, uploading, last = (client.create_logged_model(experiment).model_id for _ in range(3))
    for each in (external, last):
        client.finalize_logged_model(each, LoggedModelStatus.READY)
    first = [each for batch in source.models(0, 500) for each in batch.models]
    assert {each.artifacts.model_id: each.ready for each in first} == {external: True, uploading: False, last: True}
    since_ms = max(each.changed_ms for each in first)
    later = client.create_logged_model(experiment).model_id
    client.finalize_logged_model(uploading, LoggedModelStatus.READY)
    client.finalize_logged_model(external, LoggedModelStatus.READY)  # again: files were logged to it
    changed = {external: True, uploading: True, later: False}
    patiently(lambda: told(source, since_ms).items() >= changed.items(), wanted=True)
    client.set_logged_model_tags(last, {"team": "nlp"})
    patiently(lambda: tags(source, last).get("team"), wanted="nlp")


def test_where_a_read_ended_early_the_next_goes_on(database: Way) -> None:
    experiment = database.experiment()
    names = [f"m-{experiment}-{number:04}" for number in range(MANY)]
    source = database.source(experiment)
    with models(database.server.store, experiment, names):
        some = [each.artifacts.model_id for batch in source.models(0, 500) for each in batch.models]
        assert len(some) < MANY
        rest = told(source, NOW + len(some) - 1)
        assert {*some, *rest} == set(names)
        assert told(source).keys() == set(some)  # an earlier instant than that read began from


def test_experiments_that_are_chosen_later_tell_theirs(database: Way) -> None:
    client, first, second = MlflowClient(database.server.uri), database.experiment(), database.experiment()
    model = client.create_logged_model(second).model_id
    source = database.source(include=[database.server.experiment_name(first), f"chosen-{second}"])
    patiently(lambda: asks(source), wanted=False)
    client.rename_experiment(second, f"chosen-{second}")
    assert told(source) == {model: False}


def test_where_nothing_was_written_none_is_read(database: Way) -> None:
    experiment, store = database.experiment(), database.server.store
    with models(store, experiment, [f"m-{experiment}-{number}" for number in range(20)]):
        source = database.source(experiment)
        assert asks(source)
        patiently(lambda: asks(source), wanted=False)
        with models(store, experiment, [f"m-{experiment}-new"]):
            patiently(lambda: len(told(source)), wanted=21)
