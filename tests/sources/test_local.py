"""The local way, where it differs from the server's."""

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from alerter.core.ports import SourceError
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.sources.mlflow_rest.local import LocalTracking
from alerter.sources.mlflow_rest.tracking import Patience
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import Poller


def test_a_file_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    poller = Poller(MlflowRestSource(name="main", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"))
    with pytest.raises(SourceError, match=r"there is no file .*mlflow\.db"):
        poller.poll()
    assert not list(tmp_path.iterdir())
    assert poller.source.check()[0].level == "error"


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, only text of some length" * 100, encoding="utf-8")
    poller = Poller(MlflowRestSource(name="main", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"))
    with pytest.raises(SourceError, match="Check that it is MLflow's database"):
        poller.poll()


def test_a_file_that_is_not_mlflows_is_told_and_gets_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    for sql in ("", "CREATE TABLE something (id INTEGER)"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(sql)
        before, source = path.read_bytes(), MlflowRestSource(name="main", tracking_uri=f"sqlite:///{path}")
        (finding,) = source.check()
        assert finding.level == "error"
        assert "no such table: alembic_version" in finding.text
        assert path.read_bytes() == before


def test_a_file_of_a_newer_mlflow_needs_that(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    path = Path(shutil.copyfile(mlflow_server.database, tmp_path / "mlflow.db"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    (finding,) = MlflowRestSource(name="main", tracking_uri=f"sqlite:///{path}").check()
    assert "its schema is 0123456789ab" in finding.text
    assert finding.remedy == "Install the MLflow that writes it."


def test_without_full_mlflow_the_extra_is_named(mlflow_server: MlflowServer) -> None:
    uri = f"sqlite:///{mlflow_server.database}"
    tracking = LocalTracking("main", uri, Patience(1, 0, threading.Event()), full_mlflow=lambda: False)
    with pytest.raises(SourceError, match=r'pip install "mlflow-alerter\[local\]"'):
        tracking.experiments(1, "")


def test_a_local_run_has_a_link_only_where_a_ui_is_known() -> None:
    assert MlflowRestSource(name="main", tracking_uri="sqlite:///mlflow.db").run_url("1", "abc") == ""
    source = MlflowRestSource(name="main", tracking_uri="sqlite:///mlflow.db", ui_url="https://ml.example.com/x/")
    assert source.run_url("1", "abc") == "https://ml.example.com/x/#/experiments/1/runs/abc"


@pytest.mark.parametrize(
    ("tracking_uri", "ui_url", "link"),
    [
        ("http://ann:s3cret@mlflow:5000/", "", "http://mlflow:5000/#/experiments/1/runs/abc"),
        ("http://mlflow:5000", "javascript:alert(1)", ""),
    ],
)
def test_a_link_is_of_the_web_and_holds_no_password(tracking_uri: str, ui_url: str, link: str) -> None:
    assert MlflowRestSource(name="main", tracking_uri=tracking_uri, ui_url=ui_url).run_url("1", "abc") == link
