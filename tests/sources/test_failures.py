"""Bad days: each error names the source, the address and the remedy, keeps the secret, and the next poll goes on."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from alerter.core.ports import SourceError
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.sources.poller import HOUR, MINUTE, NOW, Poller
from tests.sources.scripted import EXPERIMENT, Answer, ScriptedServer, run_row

HTML = b"<!doctype html><html><title>Sign in</title></html>"
NO_WORKSPACE = Answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Workspace 'x' not found"}, 404)
BUSY = Answer({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "come back later"}, 503)


def poller_at(uri: str, **settings: Any) -> Poller:  # noqa: ANN401
    settings.setdefault("back_off_s", 0.01)
    return Poller(MlflowRestSource(name="main", tracking_uri=uri, **settings))


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]  # bound, but nobody listens


@pytest.mark.parametrize(
    ("answer", "told", "remedy"),
    [
        (Answer(HTML), "web page", "login page"),
        (Answer(b'{"runs": [tru'), "JSON that breaks off", "tracking_uri"),
        (Answer(b"", 429), "429", "poll.every"),
        (Answer([1, 2]), "JSON", "tracking_uri"),
        (Answer(b"You are not authenticated.", 401), "401", "MLFLOW_TRACKING_USERNAME"),
        (Answer({"error_code": "PERMISSION_DENIED", "message": "Permission denied"}, 403), "403", "READ"),
        (Answer(HTML, 404), "not an MLflow 3 server", "tracking_uri"),
        (NO_WORKSPACE, "Workspace 'x' not found", "Check MLFLOW_WORKSPACE."),
        (Answer({"error_code": "INVALID_PARAMETER_VALUE", "message": "bad filter"}, 400), "bad filter", ""),
        (BUSY, "503: come back later", "log"),
        (Answer(HTML, 500, (("Retry-After", "soon"),)), "500", "log"),
    ],
)
def test_an_answer_that_is_no_answer(scripted: ScriptedServer, answer: Answer, told: str, remedy: str) -> None:
    scripted.on("runs/search", answer)
    uri = scripted.uri.replace("http://", "http://ann:s3cret@")
    with pytest.raises(SourceError) as caught:
        poller_at(uri).poll()
    text = str(caught.value)
    assert text.startswith(f"source main: {scripted.uri}")
    assert told in text
    assert remedy in text
    assert "s3cret" not in text
    assert "<" not in text


@pytest.mark.parametrize("status", [301, 302, 308])
def test_an_address_that_redirects(scripted: ScriptedServer, status: int) -> None:
    with ScriptedServer() as before:
        moved = (("Location", f"{scripted.uri}/api/2.0/mlflow/experiments/search"),)
        before.on("experiments/search", Answer(b"moved", status, moved))
        poller = poller_at(before.uri)
        if status == 308:  # what was asked is asked there
            assert poller.poll().swept
            return
        with pytest.raises(SourceError) as caught:
            poller.poll()
    told = f"{before.uri} redirects to {scripted.uri}. If MLflow is there, give that address as tracking_uri;"
    assert told in str(caught.value)


def test_nobody_listens(closed_port: int) -> None:
    poller = poller_at(f"http://ann:s3cret@127.0.0.1:{closed_port}")
    with pytest.raises(SourceError, match="could not be reached: connection refused") as caught:
        poller.poll()
    (finding,) = poller.source.check()
    assert finding.level == "error"
    assert "tracking_uri" in finding.remedy
    assert "s3cret" not in str(caught.value) + str(finding)


def test_no_such_host() -> None:
    with pytest.raises(SourceError, match=r"http://nowhere\.invalid could not be reached: .*name"):
        poller_at("http://nowhere.invalid").poll()


def test_a_server_that_does_not_answer_in_time(scripted: ScriptedServer) -> None:
    never = threading.Event()
    scripted.on("experiments/search", Answer({}, wait=never))
    with pytest.raises(SourceError, match=r"did not answer within 0\.1 s"):
        poller_at(scripted.uri, timeout_s=0.1).poll()
    never.set()


def test_https_where_http_is_spoken(scripted: ScriptedServer) -> None:
    with pytest.raises(SourceError, match="does not speak TLS"):
        poller_at(scripted.uri.replace("http:", "https:")).poll()


def test_a_certificate_that_nobody_vouches_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(context) as server:
        poller = poller_at(server.uri)
        with pytest.raises(SourceError, match=r"could not be trusted.*MLFLOW_TRACKING_SERVER_CERT_PATH"):
            poller.poll()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "ca.pem"))
        assert poller.poll().swept


def test_an_authority_in_a_file_that_cannot_be_read(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_pem = tmp_path / "ca.pem"
    no_pem.write_text("a certificate", encoding="utf-8")
    for file in (no_pem, tmp_path / "nowhere.pem"):
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(file))
        with pytest.raises(SourceError, match=r"can't be read.*MLFLOW_TRACKING_SERVER_CERT_PATH.*PEM"):
            poller_at(scripted.uri.replace("http:", "https:")).poll()


def test_settings_of_mlflow_that_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/etc/hostname")
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with pytest.raises(SourceError, match="only one of these environment variables may be set"):
        poller_at("https://127.0.0.1:9").poll()


def test_a_certificate_of_another_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("mlflow.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "ca.pem"))
    with ScriptedServer(context) as server, pytest.raises(SourceError, match="tracking_uri that its certificate names"):
        poller_at(server.uri).poll()


def test_a_short_failure_is_got_over(scripted: ScriptedServer) -> None:
    scripted.on("runs/search", BUSY, Answer({"runs": [run_row(1, start_ms=NOW)]}))
    assert len(poller_at(scripted.uri).poll().runs) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(scripted: ScriptedServer) -> None:
    whole = Answer({"runs": [run_row(1, start_ms=NOW)]})
    scripted.on("runs/search", replace(whole, cut=True), whole)
    assert len(poller_at(scripted.uri).poll().runs) == 1
    scripted.on("runs/search", Answer(b'{"runs": [{"info'), whole)  # by a proxy that tells how much it cut
    assert len(poller_at(scripted.uri).poll().runs) == 1
    scripted.on("runs/search", Answer(b"no gzip", headers=(("Content-Encoding", "gzip"),)), whole)
    assert len(poller_at(scripted.uri).poll().runs) == 1
    scripted.on("runs/search", replace(whole, cut=True))
    with pytest.raises(SourceError, match="could not be reached"):
        poller_at(scripted.uri).poll()


def test_waiting_for_another_attempt_ends_with_the_process(scripted: ScriptedServer) -> None:
    stop = threading.Event()
    scripted.on("experiments/search", Answer({}, 429, (("Retry-After", "3600"),)))
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(SourceError, match="429"):
        poller_at(scripted.uri, stop=stop).poll()
    assert time.monotonic() - began < 5
    with pytest.raises(SourceError, match="stopped"):
        poller_at(scripted.uri, stop=stop).poll()


def test_a_page_that_fails_half_way_keeps_what_came_before(scripted: ScriptedServer) -> None:
    rows = [run_row(number, start_ms=NOW - HOUR + number) for number in range(6)]
    fails = True

    def search(body: dict[str, Any]) -> Answer:
        bound = int(body["filter"].rsplit(" ", maxsplit=1)[1]) if body["filter"] else 0
        if fails and bound > NOW - HOUR + 1:
            return BUSY
        found = [row for row in rows if row["info"]["start_time"] >= bound]
        return Answer({"runs": found[:2], "next_page_token": "more" if len(found) > 2 else ""})

    scripted.on("runs/search", search)
    poller = poller_at(scripted.uri, page_size=2)
    with pytest.raises(SourceError, match="503"):
        poller.poll()
    kept = dict(poller.runs)
    assert 0 < len(kept) < 6
    fails = False
    poller.poll(NOW + MINUTE)
    assert poller.batches[-1].swept
    assert len(poller.runs) == 6
    assert not set(poller.times_seen) >= set(kept)  # it went on where it was


def test_a_later_poll_that_fails_half_way_is_repeated_whole(scripted: ScriptedServer) -> None:
    scripted.on("runs/search", Answer({"runs": [run_row(1, start_ms=NOW - HOUR)]}))
    poller = poller_at(scripted.uri, page_size=1).poll()
    cursor = poller.cursor
    scripted.on("runs/search", Answer({"runs": [run_row(2, start_ms=NOW)]}), Answer(HTML, 400))
    with pytest.raises(SourceError):
        poller.poll(NOW + MINUTE)
    assert len(poller.runs) == 2
    assert poller.cursor == cursor


def test_an_experiment_erased_in_mid_sweep_is_left_out(scripted: ScriptedServer) -> None:
    both = {"experiments": [EXPERIMENT, EXPERIMENT | {"experiment_id": "2", "name": "two"}]}
    scripted.on("experiments/search", Answer(both), Answer({"experiments": [EXPERIMENT]}))
    gone = Answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No Experiment with id=2 exists"}, 404)

    def search(body: dict[str, Any]) -> Answer:
        return gone if "2" in body["experiment_ids"] else Answer({"runs": [run_row(1, start_ms=NOW)]})

    scripted.on("runs/search", search)
    assert len(poller_at(scripted.uri).poll().runs) == 1


def test_a_run_written_unreadably_stops_nothing_and_is_logged(
    scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"info": {"run_id": "broken", "start_time": NOW}, "data": {"tags": [{"value": "no key"}]}}
    scripted.on("runs/search", Answer({"runs": [broken, {}, run_row(1, start_ms=NOW)]}))
    assert len(poller_at(scripted.uri).poll().runs) == 1
    assert "'broken'" in caplog.text


def test_a_consumer_that_gives_up_leaves_no_thread_behind(scripted: ScriptedServer) -> None:
    scripted.on("runs/search", Answer({"runs": [run_row(1, start_ms=NOW)], "next_page_token": "more"}))
    batches = poller_at(scripted.uri).polling(NOW)
    next(batches)
    batches.close()
    deadline = time.monotonic() + 5
    while any(thread.name == "mlflow-ahead" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "uri", ["databricks", "postgresql://ann:s3cret@db/mlflow", "file:///tmp/mlruns", "http://[oops"]
)
def test_an_address_of_another_kind(uri: str) -> None:
    poller = poller_at(uri)
    with pytest.raises(SourceError) as caught:
        poller.poll()
    assert "s3cret" not in str(caught.value)
    assert poller.source.check()[0].level == "error"
    assert "s3cret" not in repr(poller.source)
