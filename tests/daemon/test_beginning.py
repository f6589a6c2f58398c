"""A daemon on a database that can't be used: restarted again and again, it tells its operators once."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.daemon.conftest import until
from tests.daemon.test_process import COMMAND, Process
from tests.fixtures.http_receiver import HttpReceiver, ReceiverStarter

SECRETS = {"WEBHOOK_SECRET": "a-made-up-secret"}


@pytest.fixture
def hook(tmp_path: Path, start_http_receiver: ReceiverStarter) -> HttpReceiver:
    """Who hears what a daemon says to its operators; its database is no database."""
    receiver, config = start_http_receiver(tls=False), tmp_path / "config"
    config.mkdir()
    (config / "alerter.yaml").write_text(
        "sources: [{name: main, tracking_uri: 'http://127.0.0.1:9'}]\n"
        "poll: {every: 500ms, source_down_after: 1ms}\nweb: {listen: '127.0.0.1:0'}\noperators: ops\n"
        f"receivers: [{{name: ops, webhook: {{url: 'http://127.0.0.1:{receiver.port}/'}}}}]\n"
    )
    (config / "budgets.yaml").write_text("budgets: [{name: all, amount: 10, period: yearly, receivers: [ops]}]\n")
    (tmp_path / "alerter.db").write_bytes(b"no database, but something that somebody wrote over it\n" * 100)
    return receiver


def titles(hook: HttpReceiver) -> list[str]:
    """Return what was told of the daemon itself; its source can't be read either."""
    found = [json.loads(each.body)["title"] for each in tuple(hook.requests)]
    return [each for each in found if each.startswith("The daemon")]


def start(folder: Path) -> Process:
    environ = dict(os.environ) | SECRETS | {"TMPDIR": str(folder)}
    with (folder / "out").open("wb") as out, (folder / "err").open("ab") as err:
        popen = subprocess.Popen([COMMAND, "run"], cwd=folder, env=environ, stdout=out, stderr=err)
    return Process(folder, environ, popen)


def test_its_operators_are_told_once(hook: HttpReceiver, tmp_path: Path) -> None:
    for _ in range(4):
        assert start(tmp_path).popen.wait(timeout=60) == 1
    assert titles(hook) == ["The daemon can't do its work"]
    text = json.loads(hook.requests[0].body)["text"]
    assert "it can't begin: database " in text
    assert "not a database" in text
    assert "Traceback" not in (tmp_path / "err").read_text()
    (tmp_path / "alerter.db").unlink()
    for _ in range(2):
        process = start(tmp_path)
        try:
            process.url()
            until(lambda: len(titles(hook)) > 1, process.log)
        finally:
            assert process.end() == 0
    assert titles(hook) == ["The daemon can't do its work", "The daemon works again"]
    assert not list(tmp_path.glob(".alerter-*"))


def test_a_second_daemon_is_no_outage(hook: HttpReceiver, tmp_path: Path) -> None:
    (tmp_path / "alerter.db").unlink()
    first = start(tmp_path)
    try:
        first.url()
        for _ in range(3):
            assert start(tmp_path).popen.wait(timeout=60) == 1
    finally:
        first.end()
    assert "in use by another alerter" in first.log()
    assert titles(hook) == []
