"""LoggedModels in MLflow's own database are told as they come and change, whatever was read before."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from alerter.sources.mlflow_rest import MlflowRestSource
from tests.scans.plans import planner, sent, walked
from tests.sources.conftest import ServerOf, Way
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


def patiently(look: Callable[[], object], *, wanted: object) -> None:
    """Look until that is found: PostgreSQL's statistics come some seconds late."""
    deadline = time.monotonic() + 60
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == wanted


def insert(store: str, experiment: str, names: Sequence[str]) -> None:
    """Write models that are ready, each a millisecond after the one before."""
    engine = create_engine(store, poolclass=NullPool)
    rows = [{"id": each, "experiment": int(experiment), "at": NOW + at} for at, each in enumerate(names)]
    with engine.begin() as connection:
        connection.execute(text(_MODEL), rows)


def test_after_a_whole_read_new_ones_are_told_and_such_as_became_ready(database: Way) -> None:
    client, experiment = MlflowClient(database.server.uri), database.experiment()
    source = database.source(experiment)
    first, uploading, second = (client.create_logged_model(experiment).model_id for _ in range(3))
    for each in (first, second):
        client.finalize_logged_model(each, LoggedModelStatus.READY)
    assert told(source) == {first: True, uploading: False, second: True}
    third = client.create_logged_model(experiment).model_id
    client.finalize_logged_model(uploading, LoggedModelStatus.READY)
    patiently(lambda: told(source).items() >= {(uploading, True), (third, False)}, wanted=True)
    client.finalize_logged_model(third, LoggedModelStatus.FAILED)
    patiently(lambda: told(source).get(third), wanted=True)
    assert told(database.source(experiment)).keys() == {first, uploading, second, third}


def test_where_a_read_ended_early_the_next_goes_on(database: Way) -> None:
    experiment = database.experiment()
    names = [f"m-{experiment}-{number:04}" for number in range(MANY)]
    insert(database.server.store, experiment, names)
    source = database.source(experiment)
    some = [each.artifacts.model_id for batch in source.models(0, 500) for each in batch.models]
    assert len(some) < MANY
    rest = told(source, NOW + len(some) - 1)
    assert {*some, *rest} == set(names)
    assert told(source).keys() == set(some)  # an earlier instant than that read began from


@pytest.mark.parametrize("gone", [slice(3), slice(-3, None)], ids=["the oldest erased", "the newest"])
def test_a_backup_of_sqlite_in_which_rows_have_other_numbers(server_of: ServerOf, tmp_path: Path, gone: slice) -> None:
    experiment = Way(server := server_of("SQLite"), {}).experiment()
    database = shutil.copyfile(server.database, tmp_path / "mlflow.db")
    store = f"sqlite:///{database}"
    source = Way(server, {"tracking_uri": server.uri, "backend_store": store}).source(experiment)
    names = [f"m-{number}" for number in range(20)]
    insert(store, experiment, names)
    assert told(source).keys() == set(names)
    assert told(source).keys() == {names[-1]}
    with closing(sqlite3.connect(database)) as connection:
        connection.executemany("DELETE FROM logged_models WHERE model_id = ?", [[each] for each in names[gone]])
        connection.commit()
        with closing(sqlite3.connect(tmp_path / "restored.db")) as restored:
            restored.executescript("\n".join(connection.iterdump()))
    (tmp_path / "restored.db").replace(database)
    insert(store, experiment, ["m-new"])
    assert "m-new" in told(source)


def test_models_that_are_settled_are_walked_over_no_more(database: Way) -> None:
    experiment, store = database.experiment(), database.server.store
    insert(store, experiment, [f"m-{experiment}-{number}" for number in range(20)])
    source = database.source(experiment)
    assert len(told(source)) == 20
    patiently(lambda: len(told(source)) < 20, wanted=True)
    with sent() as statements:
        told(source)
    about_models = [each for each in statements if "logged_models" in each.sql]
    # PostgreSQL is only asked how often any was written.
    assert bool(about_models) is not store.startswith("postgresql")
    with planner(make_url(store)) as connection:
        assert all(walked(connection, each) == set() for each in about_models)
