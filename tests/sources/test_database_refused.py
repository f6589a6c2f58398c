"""What can be wrong with a database that is to be read: one clear finding each, and nothing changed."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from alerter.core.ports import SourceError
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_database.health import TABLES
from alerter.sources.mlflow_database.revisions import KNOWN, OLDER, RELEASES, release_of
from tests.docs.pages import ROOT
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.conftest import Way
from tests.sources.poller import HOUR, MINUTE, NOW, Poller


def poller_on(store: str, tracking_uri: str = "http://127.0.0.1:9", timeout_s: float = 20) -> Poller:
    made = MlflowDatabaseSource(name="main", tracking_uri=tracking_uri, backend_store=store, timeout_s=timeout_s)
    return Poller(made)


def refusal(store: str, *, timeout_s: float = 5) -> str:
    """Return the one error that a poll and a check tell alike."""
    poller = poller_on(store, timeout_s=timeout_s)
    with pytest.raises(SourceError) as caught:
        poller.poll()
    (finding,) = poller.source.check()
    assert finding.level == "error"
    assert str(caught.value) == f"source main: {finding.text} {finding.remedy}"
    return str(caught.value)


@pytest.fixture
def copied(tmp_path: Path, mlflow_server: MlflowServer) -> Path:
    return Path(shutil.copyfile(mlflow_server.database, tmp_path / "mlflow.db"))


def revise(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_no_file(tmp_path: Path) -> None:
    assert "there is no file" in refusal(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_no_database_and_another_one(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 1000)
    assert "is not a database" in refusal(f"sqlite:///{tmp_path}/text")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE something (id INTEGER)")
    assert "is not MLflow's: no such table: alembic_version" in refusal(f"sqlite:///{tmp_path}/other.db")


def test_a_writer_that_never_lets_go(copied: Path) -> None:
    with closing(sqlite3.connect(copied, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert "was locked for longer than 0.1 s" in refusal(f"sqlite:///{copied}", timeout_s=0.1)


@pytest.mark.parametrize(
    "revision",
    [
        ("451aebb31d03", "is of an MLflow before 3.11", "mlflow db upgrade"),  # 1.0
        ("0123456789ab", "is of no MLflow that is known (MLflow 3.11 to 3.17 are)", "Upgrade alerter"),
    ],
)
def test_a_schema_that_is_not_known_is_read_over_rest_with_a_warning(
    mlflow_server: MlflowServer, copied: Path, caplog: pytest.LogCaptureFixture, revision: tuple[str, str, str]
) -> None:
    unknown, why, remedy = revision
    run = mlflow_server.start_run(mlflow_server.experiment(), NOW - HOUR)
    poller = poller_on(f"sqlite:///{copied}", mlflow_server.uri).poll()
    assert run not in poller.runs
    revise(copied, unknown)
    with caplog.at_level(logging.WARNING):
        poller.poll(NOW + MINUTE).poll(NOW + 2 * MINUTE)
    assert run in poller.runs  # the server's news, which the copy doesn't have
    assert all(batch.swept for batch in poller.batches)
    (told,) = [each.message for each in caplog.records if "backend_store" in each.message]
    assert why in told
    warning, over_rest = poller.source.check()[:2]
    assert (warning.level, over_rest.level) == ("warning", "ok")
    assert why in warning.text
    assert "REST is tried instead" in warning.text
    assert remedy in warning.remedy
    revise(copied, KNOWN[-1])
    assert all(batch.swept for batch in poller.poll(NOW + 3 * MINUTE).batches)
    assert poller.source.check()[0].level == "ok"


def test_the_known_schemas_are_those_of_the_installed_mlflow() -> None:
    import mlflow  # noqa: PLC0415

    files = (Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions").glob("*.py")
    lines = (line for path in files for line in path.read_text().splitlines())
    installed = {line.split("=")[1].strip().strip("'\"") for line in lines if line.startswith("revision =")}
    assert installed
    assert installed <= {*KNOWN, *OLDER}
    assert not OLDER & set(KNOWN)
    assert list(RELEASES) == [each for each in KNOWN if each in RELEASES]
    assert release_of("75868b020152") == "3.17"


def test_a_check_names_the_schema(database: Way) -> None:
    database.experiment()
    ok = database.source().check()[0]
    assert (ok.level, ok.subject) == ("ok", "source main")
    release = ".".join(database.server.version().split(".")[:2])
    schema = next(revision for revision, each in RELEASES.items() if each == release)
    assert f"of MLflow {release} (schema {schema}, of the known MLflow 3.11 to 3.17)" in ok.text


@pytest.fixture
def reader(mlflow_on_postgres: MlflowServer) -> Iterator[tuple[str, psycopg.Connection]]:
    """A role with the rights that the documentation grants, and an administrator's connection."""
    url = make_url(mlflow_on_postgres.store)
    with psycopg.connect(plain(url), autocommit=True) as admin:
        admin.execute(documented_grants().replace("DATABASE mlflow", f"DATABASE {url.database}"))
        yield url.set(username="alerter_reader", password="read-only").render_as_string(hide_password=False), admin
        admin.execute("DROP OWNED BY alerter_reader")
        admin.execute("DROP ROLE alerter_reader")


def plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def documented_grants() -> str:
    page = (ROOT / "docs" / "deployment.md").read_text()
    return page.partition("```sql\n")[2].partition("```")[0]


@pytest.mark.needs_postgres
def test_the_documented_grants_are_enough_and_each_is_needed(
    reader: tuple[str, psycopg.Connection], mlflow_on_postgres: MlflowServer
) -> None:
    store, admin = reader
    run = mlflow_on_postgres.start_run(mlflow_on_postgres.experiment(), NOW - HOUR)
    poller = poller_on(store).poll()
    assert run in poller.runs
    assert poller.source.check()[0].level == "ok"
    with psycopg.connect(plain(make_url(store))) as mine, pytest.raises(psycopg.errors.InsufficientPrivilege):
        mine.execute("DELETE FROM runs")
    for table in ("alembic_version", *TABLES):
        admin.execute(f"REVOKE SELECT ON {table} FROM alerter_reader")  # noqa: S608
        (finding,) = poller_on(store).source.check()
        assert finding.level == "error"
        assert f"permission denied for table {table}" in finding.text
        assert "grants" in finding.remedy
        assert "read-only" not in finding.text + finding.remedy
        admin.execute(f"GRANT SELECT ON {table} TO alerter_reader")
    admin.execute("REVOKE SELECT ON runs FROM alerter_reader")
    assert "permission denied for table runs" in refusal(store)


@pytest.mark.needs_postgres
def test_a_wrong_address(mlflow_on_postgres: MlflowServer) -> None:
    url = make_url(mlflow_on_postgres.store)
    for wrong in (url.set(database="nothing_there"), url.set(host="127.0.0.1", port=9, query={}, password="s3cret")):
        said = refusal(wrong.render_as_string(hide_password=False))
        assert "could not be read" in said
        assert "Check backend_store" in said
        assert "s3cret" not in said


@pytest.mark.needs_postgres
def test_nothing_can_be_written_to_postgres(mlflow_on_postgres: MlflowServer) -> None:
    source = poller_on(mlflow_on_postgres.store).source
    assert isinstance(source, MlflowDatabaseSource)
    with pytest.raises(SourceError, match="read-only transaction"), source._database.reading() as reading:
        reading.rows("DELETE FROM runs RETURNING run_uuid")
