"""A real daemon on a machine that fails it: nothing lost, nothing told twice, no restart."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.boxed import COMMAND, Boxed, boxed
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.scripted_slack import ScriptedSlack
from tests.fixtures.smtp_server import SmtpStarter
from tests.sources.scripted import Answer, ScriptedServer

pytestmark = [pytest.mark.needs_namespaces, pytest.mark.timeout(300)]

MINUTE = 60_000
PRICES = 'prices: [{match: {instance_type: box}, per_instance_hour: "6"}]\n'


def place(folder: Path, alerter: str, receivers: str) -> None:
    """Write a configuration whose one budget has 10 dollars, and a box costs six an hour."""
    config = folder / "config"
    config.mkdir()
    (config / "alerter.yaml").write_text(alerter, encoding="utf-8")
    (config / "prices.yaml").write_text(PRICES, encoding="utf-8")
    budget = f'budgets: [{{name: all, amount: "10", period: yearly, receivers: [{receivers}]}}]\n'
    (config / "budgets.yaml").write_text(budget, encoding="utf-8")


def spend_nine(server: MlflowServer, experiment: str) -> None:
    now = time.time_ns() // 1_000_000
    server.ended_run(
        experiment, now - 91 * MINUTE, now - MINUTE, params={"instance_type": "box"}, tags={"note": "x" * 5000}
    )


def one_dollar() -> dict[str, object]:
    """A run as a server tells it."""
    now = time.time_ns() // 1_000_000
    times = {"start_time": now - 16 * MINUTE, "end_time": now - 6 * MINUTE}
    info = {"run_id": "f" * 32, "experiment_id": "1", "run_name": "far", "artifact_uri": "", "status": "FINISHED"}
    return {"info": {**info, **times}, "data": {"params": [{"key": "instance_type", "value": "box"}]}}


def spent(box: Boxed) -> list[str]:
    return [each["spent"] for each in box.get("/api/status").json()["budgets"]]


def test_a_disk_that_is_full_and_freed(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    experiment = mlflow_server.experiment()
    name = mlflow_server.experiment_name(experiment)
    alerter = f"""\
sources: [{{name: main, tracking_uri: "{mlflow_server.uri}", experiments: {{include: ["{name}"]}}}}]
database: sqlite:///{tmp_path}/disk/alerter.db
poll: {{every: 300ms, source_down_after: 1s}}
receivers: [{{name: ops, console: {{}}}}]
operators: ops
"""
    place(tmp_path, alerter, "ops")
    (tmp_path / "disk").mkdir()
    with boxed(tmp_path, "mount -t tmpfs -o size=32m tmpfs disk") as box:
        box.until(box.is_ready)
        box.inside(f"dd if=/dev/zero of={tmp_path}/disk/other bs=4k")  # until there is no room
        assert box.inside(f"df --output=avail {tmp_path}/disk").split()[-1] == "0"
        spend_nine(mlflow_server, experiment)
        box.until(lambda: "can't do its work" in box.said())
        assert "the disk is full" in box.get("/").text
        assert box.get("/healthz").status_code == 200
        box.inside(f"rm {tmp_path}/disk/other")
        box.until(lambda: "90 % used" in box.said())
        box.until(lambda: "works again" in box.said())
        assert spent(box) == ["9.00"]
        verified = box.inside(f"cd {tmp_path} && {COMMAND} ledger verify --config config")
        assert "every total agrees with its charges" in verified
    for once in ("can't do its work", "works again", "90 % used"):
        assert box.said().count(once) == 1
    assert "Traceback" not in box.log()


def test_names_that_are_not_found_for_a_while(
    tmp_path: Path, mlflow_server: MlflowServer, scripted_slack: ScriptedSlack, start_smtp_server: SmtpStarter
) -> None:
    experiment = mlflow_server.experiment()
    name = mlflow_server.experiment_name(experiment)
    smtp = start_smtp_server("none", auth=False)
    with ScriptedServer() as far:
        far.on("runs/search", Answer({"runs": [one_dollar()]}))
        alerter = f"""\
sources:
  - {{name: main, tracking_uri: "{mlflow_server.uri}", experiments: {{include: ["{name}"]}}}}
  - {{name: far, tracking_uri: "{far.uri.replace("127.0.0.1", "far.example.test")}"}}
poll: {{every: 300ms, source_down_after: 1ms}}
receivers:
  - {{name: ops, console: {{}}}}
  - {{name: costs, slack: {{channel: "#costs"}}, email: {{to: [costs@example.com]}}}}
operators: ops
slack: {{mode: http, base_url: "{scripted_slack.base_url.replace("127.0.0.1", "slack.example.test")}"}}
email: {{host: mail.example.test, port: {smtp.port}, starttls: false, from: budgets@example.com}}
"""
        place(tmp_path, alerter, "costs")
        (tmp_path / "hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="utf-8")
        mounts = "mount --bind hosts /etc/hosts\nmount --bind resolv.conf /etc/resolv.conf"
        with boxed(tmp_path, mounts, SLACK_BOT_TOKEN="xoxb-1") as box:
            box.until(lambda: "far can't be read" in box.said())
            spend_nine(mlflow_server, experiment)
            box.until(lambda: box.log().count("not delivered") >= 2)
            assert "its name was not found" in box.log()
            assert (smtp.mails, scripted_slack.asked("chat.postMessage")) == ([], [])

            with (tmp_path / "hosts").open("a", encoding="utf-8") as hosts:
                hosts.write("127.0.0.1 far.example.test slack.example.test mail.example.test\n")
            box.until(lambda: "far is back" in box.said())
            box.until(lambda: smtp.mails and scripted_slack.asked("chat.postMessage"))
            box.until(lambda: spent(box) == ["10.00"])
        for once in ("far can't be read", "far is back"):
            assert box.said().count(once) == 1
        assert "Traceback" not in box.log()
