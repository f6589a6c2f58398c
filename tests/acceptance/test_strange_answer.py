"""A server that answers like nothing we know: told as such, and no other source is held up."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alerter.bootstrap import wire
from alerter.check import check_matches, check_network
from alerter.config import load
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.status import status_json
from alerter.store.engine import Store
from alerter.store.migrate import migrate

NOW = 1_795_435_200_000  # 2026-11-23T12:00Z


class Good:
    """One finished run."""

    name = "good"

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        run = RunObservation(
            run_uuid="1" * 32,
            experiment_id="1",
            name="run",
            user="ann",
            status=RunStatus.FINISHED,
            start_ms=NOW - 3_600_000,
            end_ms=NOW,
            deleted=False,
            tags=(("experiment", "x"),),
            usage=(("instance_type", "m5.xlarge"),),
        )
        yield Batch((run,), "1", swept=True)

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        return ""

    def check(self) -> list[Finding]:
        return [Finding("ok", "source good", "fine")]


@pytest.fixture
def strange() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps({"experiments": 5, "runs": "none"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the base class's name

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_it_stops_no_other_source_and_no_other_check(tmp_path: Path, strange: str) -> None:
    (tmp_path / "budgets.yaml").write_text("budgets: [{name: all, amount: 1, period: monthly, receivers: [console]}]\n")
    (tmp_path / "alerter.yaml").write_text(
        f"sources: [{{name: strange, tracking_uri: '{strange}'}}]\ndatabase: sqlite:///{tmp_path}/alerter.db\n"
    )
    config = load(tmp_path, {})
    store = Store(config.database)
    migrate(store)
    wired = wire(config, store, now_ms=NOW)
    services = replace(wired, sources=[*wired.sources, Good()])

    list(check_matches(services))
    found = {each.subject: each for each in check_network(services)}
    assert "not understood" in found["source strange"].text
    assert found["source good"].level == "ok"

    report = run_cycle(services, NOW)
    (failed,) = report.failed
    assert failed.source == "strange"
    assert "its answer is not understood" in failed.error
    assert report.evaluated
    with services.windows.read() as view:
        document = status_json(view, NOW)
    assert document["stale"]
    assert document["budgets"][0]["spent"] == "0.192"
    store.close()
