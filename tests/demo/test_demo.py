"""The demo as a stranger starts it: a real MLflow server, real runs, alerts on the screen, and nothing left behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alerter.config import load
from alerter.core.periods import bounds_ms, period_at
from alerter.demo.embedded_mlflow import own_environment
from alerter.demo.files import write_config
from alerter.demo.scenario import NLP_AMOUNT, PROJECT_AMOUNT, TEAM_AMOUNT, WATCHED, WATCHED_S, experiments
from alerter.demo.showing import prices

ALERTER = str(Path(sys.executable).with_name("alerter"))


@pytest.mark.timeout(240)
def test_the_demo_is_watched_and_ended(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [ALERTER, "demo", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            seen = _read_until(process.stdout, r"takes it over 80 %")
            assert re.search(r"🔴 nlp .* 112 % used", seen)
            assert "vision ·" not in seen
            assert _status(folder)["every-team", "(untagged)"] == 12
            page = re.search(r"Page +(http://\S+)", seen)
            assert page is not None
            with urllib.request.urlopen(page[1], timeout=10) as answer:  # noqa: S310 - our own loopback page
                assert answer.status == 200
            seen += _read_until(process.stdout, r"🟠 vision .* 80 % used")
            assert _status(folder)["fraud-detection", ""] == 60
            process.send_signal(signal.SIGTERM)
            seen += process.stdout.read()
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert "Warning" not in seen
    assert "Traceback" not in seen
    assert _processes_in(folder) == []
    subprocess.run([ALERTER, "ledger", "verify", "--config", str(folder / "config")], check=True, capture_output=True)


@pytest.mark.timeout(240)
def test_a_closed_terminal_ends_it_and_nothing_stays(tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    command = ["setsid", "--ctty", ALERTER, "demo"]
    with subprocess.Popen(command, stdin=its_end, stdout=its_end, stderr=its_end, env=environ) as process:
        try:
            os.close(its_end)
            seen = b""
            while b"Ctrl-C stops" not in seen:
                seen += os.read(terminal, 65536)
            assert list(tmp_path.iterdir())
            os.close(terminal)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []
    assert _processes_in(tmp_path) == []


@pytest.mark.parametrize("now", ["2026-11-01T00:05Z", "2027-01-01T00:00Z", "2028-02-29T23:59Z", "2026-11-23T12:00Z"])
def test_the_runs_fit_the_budgets_on_any_day(tmp_path: Path, now: str) -> None:
    now_ms = round(datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp() * 1000)
    config = load(write_config(tmp_path, mlflow="http://127.0.0.1:1", port=8321, now_ms=now_ms), {})
    per_hour = prices(config, now_ms)
    spent: dict[str, Decimal] = {}
    for experiment in experiments(per_hour):
        for run in experiment.runs:
            start, end = run.times(now_ms)
            assert start < (end or now_ms) <= now_ms
            for budget in config.budgets:
                period = period_at(budget.period, budget.timezone, now_ms)
                assert period is not None
                assert bounds_ms(period, budget.timezone)[0] <= start
            cost = per_hour(run.params) * ((end or now_ms) - start) / 3_600_000
            spent[experiment.name] = spent.get(experiment.name, Decimal(0)) + cost
    percent = {name: round(amount * 100 / _amount(name), 1) for name, amount in spent.items()}
    assert percent["fraud-detection"] == 60
    assert percent["support-assistant"] == 112
    assert percent["scratch"] == 12
    assert 79 < percent["defect-detection"] < 80
    crossing = spent["defect-detection"] + per_hour(WATCHED.params) * WATCHED_S / 3600
    assert round(crossing, 3) == Decimal(TEAM_AMOUNT) * 80 / 100


def test_the_server_ends_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from alerter.demo.embedded_mlflow import start_watched\n"
        "started = start_watched(['sleep', '300'], Path(sys.argv[1]), os.environ, open(os.devnull, 'wb'))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    deadline = time.monotonic() + 10
    while _processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _processes_in(tmp_path) == []


def test_the_callers_own_services_are_left_out() -> None:
    mine = {
        "PATH": "/bin",
        "MLFLOW_TRACKING_URI": "https://prod",
        "SLACK_APP_TOKEN": "xapp-1",
        "HTTP_PROXY": "http://p",
    }
    own = own_environment(mine)
    assert own["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert not {"MLFLOW_TRACKING_URI", "SLACK_APP_TOKEN"} & own.keys()
    assert "127.0.0.1" in own["NO_PROXY"]


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    done = subprocess.run([ALERTER, "demo", "--dir", tmp_path], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


def _read_until(lines: Iterator[str], pattern: str) -> str:
    seen = ""
    for line in lines:
        seen += line
        if re.search(pattern, line):
            return seen
    raise AssertionError(f"it ended before {pattern!r}:\n{seen}")


def _status(folder: Path) -> dict[tuple[str, str], int]:
    command = [ALERTER, "status", "--json", "--config", str(folder / "config")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows: Sequence[dict[str, Any]] = json.loads(done.stdout, parse_float=Decimal)["budgets"]
    return {(row["budget"], "".join(row["scope"].values())): int(row["percent"]) for row in rows}


def _processes_in(folder: Path) -> list[str]:
    """Return the processes that work in a folder, as the server and its worker do."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue  # it ended just now, or is another user's
    return found


def _amount(experiment: str) -> int:
    return {"fraud-detection": PROJECT_AMOUNT, "support-assistant": NLP_AMOUNT}.get(experiment, TEAM_AMOUNT)
