"""What `alerter check` says of a source."""

import importlib.util
from collections.abc import Callable

import pytest

from alerter.core.ports import SourceError
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.sources.mlflow_rest.health import open_login
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import HOUR, NOW, Poller
from tests.sources.scripted import Answer, ScriptedServer

needs_auth = pytest.mark.skipif(
    importlib.util.find_spec("flask_wtf") is None,
    reason='MLflow\'s basic auth is not installed (pip install "mlflow[auth]")',
)
READER = ("bob", "bobs-made-up-password")


def levels(source: MlflowRestSource) -> list[str]:
    return [finding.level for finding in source.check()]


@pytest.mark.parametrize("version", ["1.30.1", "2.22.0", "4.0.0"])
def test_another_major_version_is_an_error(scripted: ScriptedServer, version: str) -> None:
    scripted.on("/version", Answer(version.encode()))
    (finding,) = MlflowRestSource(name="main", tracking_uri=scripted.uri).check()
    assert finding.level == "error"
    assert version in finding.text
    assert "3" in finding.remedy


def test_a_server_that_knows_no_search_is_an_error(scripted: ScriptedServer) -> None:
    scripted.on("experiments/search", Answer(b"<html>", 404))
    (finding,) = MlflowRestSource(name="main", tracking_uri=scripted.uri).check()
    assert finding.level == "error"
    assert "1.x or 2.x" in finding.remedy


def test_a_version_that_nobody_tells_is_no_error(scripted: ScriptedServer) -> None:
    scripted.on("/version", Answer(b"<html>", 404))
    scripted.on("traces/search", Answer({}))
    assert levels(MlflowRestSource(name="main", tracking_uri=scripted.uri)) == ["ok"]


@pytest.mark.parametrize(
    ("address", "variables", "warned"),
    [
        ("http://mlflow.example.com:5000", {"MLFLOW_TRACKING_USERNAME": "bob", "MLFLOW_TRACKING_PASSWORD": "p"}, True),
        ("http://192.0.2.7", {"MLFLOW_TRACKING_TOKEN": "t"}, True),
        ("https://mlflow.example.com", {"MLFLOW_TRACKING_TOKEN": "t"}, False),
        ("http://127.0.0.1:5000", {"MLFLOW_TRACKING_TOKEN": "t"}, False),
        ("http://mlflow.example.com:5000", {}, False),
    ],
)
def test_a_login_that_is_sent_unencrypted_is_told(
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    variables: dict[str, str],
    warned: bool,  # noqa: FBT001 - by pytest
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = list(open_login("source main", address))
    assert [each.level for each in found] == ["warning"] * warned


def test_workspaces_are_told(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_WORKSPACE", "research")
    scripted.on("server-info", Answer({"workspaces_enabled": True}))
    found = MlflowRestSource(name="main", tracking_uri=scripted.uri).check()
    assert [finding.level for finding in found] == ["ok", "warning"]
    assert "only research is read" in found[1].text
    assert ">=" in found[1].text


def test_an_account_that_is_no_administrators_is_told(scripted: ScriptedServer) -> None:
    scripted.on("users/current", Answer({"user": {"username": "bob", "is_admin": False}}))
    found = MlflowRestSource(name="main", tracking_uri=scripted.uri).check()
    assert [finding.level for finding in found] == ["ok", "warning"]
    assert "bob" in found[1].text
    assert ">=" in found[1].text


@needs_auth
def test_real_accounts(mlflow_servers: Callable[..., MlflowServer], monkeypatch: pytest.MonkeyPatch) -> None:
    server = mlflow_servers("auth", auth=True)
    run = server.ended_run(server.experiment(), NOW - HOUR, NOW)
    source = MlflowRestSource(name="main", tracking_uri=server.uri)
    for key in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(key, raising=False)
    assert levels(source) == ["error"]
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(SourceError, match="refused the credentials") as caught:
        Poller(source).poll()
    assert "wrong" not in str(caught.value)
    assert server.account
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.account[1])
    assert levels(source) == ["ok"]
    assert run in Poller(source).poll().runs
    server.rest("users/create", {"username": READER[0], "password": READER[1]})
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", READER[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", READER[1])
    assert levels(source) == ["ok", "warning"]
