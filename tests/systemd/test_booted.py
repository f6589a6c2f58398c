"""The unit under a real systemd: the daemon's whole life as a service."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fixtures.clock import noon_zone
from tests.fixtures.mlflow_server import MlflowServer
from tests.systemd.machine import PROJECT, Machine, booted, build

pytestmark = [pytest.mark.needs_nspawn, pytest.mark.timeout(420)]

UNIT = "alerter"
TOKEN = "a-made-up-web-token"
MINUTE = 60_000
CONFIG = """\
sources: [{{name: main, tracking_uri: "{uri}", experiments: {{include: ["{experiment}"]}}}}]
poll: {{every: 1s}}
web: {{listen: "127.0.0.1:{port}"}}
receivers: [{{name: log, console: {{}}}}]
"""
BUDGET = 'budgets: [{{name: {name}, amount: "10", period: monthly, timezone: {zone}, receivers: [log]}}]\n'
PRICES = 'prices: [{match: {instance_type: box}, per_instance_hour: "6"}]\n'
DROP_IN = """\
[Service]
LoadCredential=alerter_web_token:/etc/alerter/credentials/alerter_web_token
WatchdogSec=6
RestartSec=1
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, debian: Path) -> Iterator[Machine]:
    """A booted machine with the unit installed as its head says, not yet started."""
    root = tmp_path_factory.mktemp("machine") / "root"
    build(root, debian)
    unit = (PROJECT / "systemd" / "alerter.service").read_text(encoding="utf-8")
    place(root / "etc/systemd/system/alerter.service", unit)
    place(root / "etc/systemd/system/alerter.service.d/test.conf", DROP_IN)
    place(root / "etc/alerter/credentials/alerter_web_token", TOKEN)
    (root / "etc/alerter/credentials").chmod(0o700)
    with booted(root) as machine:
        yield machine


@pytest.fixture(scope="module")
def page(machine: Machine, mlflow_server: MlflowServer) -> str:
    """The page's address, once the service runs on an experiment that has spent 9 of 10 dollars."""
    experiment = mlflow_server.experiment()
    now = time.time_ns() // 1_000_000
    params = {"instance_type": "box"}
    run = mlflow_server.start_run(experiment, now - 90 * MINUTE, params=params, metric_ms=now)
    mlflow_server.rest("runs/update", {"run_id": run, "status": "FINISHED", "end_time": now})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    name = mlflow_server.experiment_name(experiment)
    place(machine.root / "etc/alerter/alerter.yaml", CONFIG.format(uri=mlflow_server.uri, experiment=name, port=port))
    place(machine.root / "etc/alerter/budgets.yaml", BUDGET.format(name="first", zone=noon_zone()))
    place(machine.root / "etc/alerter/prices.yaml", PRICES)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", UNIT)  # returns when the daemon has said READY=1
    return f"http://127.0.0.1:{port}"


def test_it_says_ready_and_shows_its_last_cycle(machine: Machine, page: str) -> None:
    assert machine.show(UNIT, "ActiveState") == "active"
    until(lambda: status(page)["as_of"] is not None, lambda: journal(machine)[-2000:])
    assert machine.show(UNIT, "StatusText")
    assert spent(page) == {"first": "9.00"}


def test_it_runs_as_nobody_that_the_machine_knows(machine: Machine, page: str) -> None:
    pid = machine.show(UNIT, "MainPID")
    uid = int(machine.run("stat", "--format=%u", f"/proc/{pid}"))
    assert 61184 <= uid <= 65519  # the range of DynamicUser=
    assert machine.run("stat", "--format=%a", "/var/lib/private/alerter").strip() == "700"


def test_it_reads_its_secrets_from_credentials(machine: Machine, page: str) -> None:
    assert ask(page, token="another").status_code == 401
    assert status(page)["budgets"]
    assert TOKEN not in journal(machine)
    assert TOKEN not in machine.run("systemctl", "show", UNIT)


def test_a_reload_takes_a_changed_budget(machine: Machine, page: str) -> None:
    pid = machine.show(UNIT, "MainPID")
    place(machine.root / "etc/alerter/budgets.yaml", BUDGET.format(name="second", zone=noon_zone()))
    machine.run("systemctl", "reload", UNIT)
    until(lambda: "second" in spent(page))
    until(lambda: len(alerts(machine)) == 2)  # the page shows it before the next cycle tells of it
    assert machine.show(UNIT, "MainPID") == pid


def test_a_daemon_that_hangs_is_ended_and_started_anew_with_its_state(machine: Machine, page: str) -> None:
    before = alerts(machine)
    assert before
    pid = machine.show(UNIT, "MainPID")
    machine.run("kill", "-STOP", pid)
    until(lambda: machine.show(UNIT, "MainPID") not in {pid, "0"} and machine.show(UNIT, "ActiveState") == "active")
    assert machine.show(UNIT, "NRestarts") == "1"
    assert "Watchdog timeout" in journal(machine)
    until(lambda: "second" in spent(page))
    assert alerts(machine) == before


def test_a_daemon_that_may_take_no_more_memory_is_killed_and_starts_anew_with_its_state(
    machine: Machine, page: str
) -> None:
    before, pid = alerts(machine), machine.show(UNIT, "MainPID")
    assert before
    restarts = int(machine.show(UNIT, "NRestarts"))
    with machine.without_memory(pid):
        until(lambda: ask_in_vain(page) or machine.show(UNIT, "MainPID") != pid, lambda: journal(machine)[-2000:])
        until(lambda: int(machine.show(UNIT, "NRestarts")) > restarts)
    assert "status=9/KILL" in journal(machine)  # by the kernel
    until(lambda: "second" in spent(page))
    assert alerts(machine) == before


def test_it_stops_cleanly(machine: Machine, page: str) -> None:
    machine.run("systemctl", "stop", UNIT)
    assert machine.show(UNIT, "ActiveState") == "inactive"
    assert (machine.show(UNIT, "Result"), machine.show(UNIT, "ExecMainStatus")) == ("success", "0")
    assert alerts(machine)


def place(path: Path, text: str) -> None:
    """Write a file of the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def ask(page: str, token: str = TOKEN) -> httpx2.Response:
    """Ask the daemon how its budgets stand."""
    return httpx2.get(f"{page}/api/status", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def status(page: str) -> dict[str, Any]:
    """Return what the daemon's page says of its budgets."""
    found: dict[str, Any] = ask(page).raise_for_status().json()
    return found


def spent(page: str) -> dict[str, str]:
    """Return what each budget has spent; empty while nothing answers."""
    try:
        return {each["budget"]: each["spent"] for each in status(page)["budgets"]}
    except httpx2.HTTPError:
        return {}


def ask_in_vain(page: str) -> bool:
    """Ask, so that the daemon needs memory; return whether it no longer answers."""
    return not spent(page)


def alerts(machine: Machine) -> list[tuple[str, int]]:
    """Return the alerts in the database of the service's state directory."""
    database = machine.root / "var/lib/private/alerter/alerter.db"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT public_id, fired_ms FROM alert ORDER BY id").fetchall()


def journal(machine: Machine) -> str:
    """Return what the service logged."""
    return machine.run("journalctl", "--no-pager", "--unit", UNIT)


def until(reached: Callable[[], bool], why: Callable[[], str] = str, seconds: float = 60.0) -> None:
    """Wait until something is reached; ``why`` tells what happened instead."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, why()
        time.sleep(0.2)
