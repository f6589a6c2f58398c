"""`alerter run` as a process of its own, beside a real MLflow server."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.daemon.conftest import until
from tests.fixtures.mlflow_server import MlflowServer

COMMAND = Path(sys.executable).with_name("alerter")
TOKEN = "xoxb-1234-a-made-up-token"
PASSWORD = "a-made-up-password"
MINUTE = 60_000


@dataclass
class Process:
    """An `alerter run` in a folder; what it prints is kept in files."""

    folder: Path
    environ: dict[str, str]
    popen: "subprocess.Popen[bytes]"

    def out(self) -> str:
        return (self.folder / "out").read_text(encoding="utf-8")

    def log(self) -> str:
        return (self.folder / "err").read_text(encoding="utf-8")

    def url(self) -> str:
        until(lambda: "  page " in self.out() or self.popen.poll() is not None)
        found = re.findall(r"^  page +(\S+)$", self.out(), re.MULTILINE)
        assert found, self.log()
        return str(found[-1])

    def end(self, sign: int = signal.SIGTERM) -> int:
        self.popen.send_signal(sign)
        return self.popen.wait(timeout=25)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Start]:
    """Starts `alerter run` in a folder, on an experiment with a run that has spent 9 of 10 dollars."""
    experiment = mlflow_server.experiment()
    now = time.time_ns() // 1_000_000
    mlflow_server.ended_run(experiment, now - 10 * MINUTE, now - MINUTE, params={"instance_type": "dollar.minute"})
    config = tmp_path / "config"
    config.mkdir()
    (config / "alerter.yaml").write_text(
        f"sources: [{{name: main, tracking_uri: '{mlflow_server.uri}', "
        f"experiments: {{include: ['{mlflow_server.experiment_name(experiment)}']}}}}]\n"
        "poll: {every: 500ms}\nreceivers: [{name: costs, console: {}}]\n"
        'operators: costs\nweb: {listen: "127.0.0.1:0"}\n',
        encoding="utf-8",
    )
    (config / "budgets.yaml").write_text(
        "budgets: [{name: everything, amount: 10, period: yearly, receivers: [costs]}]\n", encoding="utf-8"
    )
    (config / "prices.yaml").write_text(
        'prices: [{match: {instance_type: dollar.minute}, per_instance_hour: "60"}]\n', encoding="utf-8"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW", "SLACK_"))}
    secrets = {"SLACK_BOT_TOKEN": TOKEN, "SMTP_PASSWORD": PASSWORD}
    with ExitStack() as stack:

        def begin(**more: str) -> Process:
            environ = kept | secrets | {"PYTHONWARNINGS": "error::ResourceWarning"} | more
            with (tmp_path / "out").open("ab") as out, (tmp_path / "err").open("ab") as err:
                popen = subprocess.Popen(
                    [COMMAND, "run", "--verbose"], cwd=tmp_path, env=environ, stdout=out, stderr=err
                )
            stack.callback(popen.wait, 10)
            stack.callback(popen.kill)
            return Process(tmp_path, environ, popen)

        yield begin


def received(speaker: socket.socket, wanted: str) -> list[str]:
    """Return the datagrams up to the first that holds a text."""
    found: list[str] = []
    while not any(wanted in each for each in found):
        readable, _, _ = select.select([speaker], [], [], 25)
        assert readable, f"no {wanted} in {found}"
        found.append(speaker.recv(4096).decode())
    return found


def test_systemd_is_told_and_signals_are_heard(start: Start, tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name)
        process = start(NOTIFY_SOCKET=name, WATCHDOG_USEC="300000")
        first = received(systemd, "READY=1")
        assert first[-1].startswith("READY=1\nSTATUS=")
        assert httpx2.get(f"{process.url()}/healthz").status_code == 200
        received(systemd, "STATUS=at=")
        received(systemd, "WATCHDOG=1")
        process.popen.send_signal(signal.SIGHUP)
        (reloading,) = [each for each in received(systemd, "RELOADING=1") if "RELOADING" in each]
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)
        received(systemd, "READY=1")
        began = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        received(systemd, "STOPPING=1")
        assert process.popen.wait(timeout=25) == 0
        assert time.monotonic() - began < 10
    assert "configuration read sources=1 budgets=1" in process.log()
    assert "stopped" in process.log().splitlines()[-1]


def test_it_says_what_it_watches_and_no_secret(start: Start, mlflow_server: MlflowServer) -> None:
    process = start()
    address = process.url()
    until(lambda: "90 % used" in process.out(), process.log)
    assert process.end(signal.SIGINT) == 0
    for line in ("configuration    config", f"source main      {mlflow_server.uri}", "budgets          1", address):
        assert line in process.out()
    for line in process.log().splitlines():
        assert re.match(r"time=\S+Z level=(debug|info|warning|error) logger=\S+ \S", line), line
    assert TOKEN not in process.out() + process.log()
    assert PASSWORD not in process.out() + process.log()


def test_a_second_daemon_on_the_database_is_refused_in_one_line(start: Start) -> None:
    first = start()
    first.url()
    before = len(first.log().splitlines())
    second = start()
    assert second.popen.wait(timeout=25) == 1
    refusals = [line for line in first.log().splitlines()[before:] if not line.startswith("time=")]
    assert len(refusals) == 1
    assert f"is in use by another alerter (process {first.popen.pid})" in refusals[0]
    assert "stop that one first" in refusals[0]
    assert first.popen.poll() is None


def test_what_was_told_is_not_told_again_after_a_kill(start: Start) -> None:
    process = start()
    until(lambda: "delivered key=" in process.log(), process.log)
    assert process.end(signal.SIGKILL) == -signal.SIGKILL
    again = start()
    until(lambda: again.log().count("runs_read=1") >= 3, again.log)
    assert again.end() == 0
    assert again.out().count("90 % used") == 1
    assert again.log().count("alert told") == 1


def test_a_bad_configuration_ends_it_with_2_before_anything_is_begun(start: Start, tmp_path: Path) -> None:
    (tmp_path / "config" / "budgets.yaml").write_text("budgets: [{nam: x}]\n", encoding="utf-8")
    process = start()
    assert process.popen.wait(timeout=25) == 2
    assert "config/budgets.yaml:1:12" in process.log()
    assert "did you mean 'name'" in process.log()
    assert not (tmp_path / "alerter.db").exists()


def test_an_address_that_is_taken_ends_it_with_1(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = tmp_path / "config" / "alerter.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("127.0.0.1:0", address), encoding="utf-8")
        process = start()
        assert process.popen.wait(timeout=25) == 1
    assert f"error: can't listen on {address}" in process.log()
    assert "web.listen" in process.log()


def test_a_teams_mistake_does_not_keep_it_from_starting(start: Start, tmp_path: Path) -> None:
    teams = tmp_path / "config" / "budgets"
    teams.mkdir()
    bad, good = "budgets: [\n", "budgets: [{name: %s, amount: 10, period: yearly, receivers: [costs]}]\n"
    (teams / "vision.yaml").write_text(bad)
    assert start().popen.wait(60) == 2  # no good version of it is known
    (teams / "vision.yaml").write_text(good % "vision")
    process = start()
    until(lambda: "vision" in process.out(), process.log)
    assert process.end() == 0

    (teams / "vision.yaml").write_text(bad)
    again = start()
    until(lambda: again.out().count("  page ") == 2, again.log)  # each start says it
    shown = httpx2.get(f"{again.url()}/api/status").json()["budgets"]
    assert {each["budget"] for each in shown} == {"everything", "vision"}
    until(lambda: "The configuration has errors" in again.out(), again.log)
    assert "vision.yaml:2:1" in again.log()
    assert again.end() == 0
