"""What docs/deploy/compose.yaml starts, started here: its PostgreSQL's databases, its MLflow, its daemon."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.fixtures.clock import noon_zone
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.slack_emulator import free_port

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(240)]

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docs/deploy/compose.yaml").read_text(encoding="utf-8"))
PASSWORD, TOKEN = "a-made-up-password", "a-made-up-token"
HOUR = 3_600_000


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[str]:
    """The socket's folder of a PostgreSQL that asks the role of the example for its password."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        rules = Path(str(connection.execute(text("SHOW hba_file")).scalar_one()))
        before = rules.read_text(encoding="utf-8")
        connection.execute(text(f"CREATE ROLE mlflow LOGIN SUPERUSER PASSWORD '{PASSWORD}'"))
        connection.execute(text("CREATE DATABASE mlflow OWNER mlflow"))
        for statement in COMPOSE["configs"]["databases"]["content"].strip().split(";")[:-1]:
            connection.execute(text(statement))
        rules.write_text(f"local all mlflow scram-sha-256\n{before}", encoding="utf-8")
        connection.execute(text("SELECT pg_reload_conf()"))
        yield str(make_url(postgres_url).query["host"])
        rules.write_text(before, encoding="utf-8")
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def test_its_parts_find_each_other(tmp_path: Path, postgres: str) -> None:
    for name, value in (("pgpassword", PASSWORD), ("alerter_web_token", TOKEN)):
        (tmp_path / "secrets").mkdir(exist_ok=True)
        (tmp_path / "secrets" / name).write_text(f"{value}\n", encoding="utf-8")
    ports = {5000: free_port(), 8321: free_port()}
    with started(mlflow(tmp_path, postgres, ports[5000]), tmp_path, "mlflow", PGPASSWORD=PASSWORD):
        until(tmp_path / "mlflow.log", f"http://127.0.0.1:{ports[5000]}/health")
        server = MlflowServer(f"http://127.0.0.1:{ports[5000]}", "")
        now = time.time_ns() // 1_000_000
        server.ended_run(server.experiment(), now - HOUR, now, params={"instance_type": "m5.xlarge"})
        settle(tmp_path / "config", postgres, ports[8321])
        command = [str(Path(sys.executable).with_name("alerter")), "run", "--config", "config"]
        known = {"MLFLOW_TRACKING_URI": server.uri, "CREDENTIALS_DIRECTORY": str(tmp_path / "secrets")}
        assert COMPOSE["services"]["alerter"]["environment"].keys() <= known.keys()
        with started(command, tmp_path, "alerter", **known):
            page = f"http://127.0.0.1:{ports[8321]}"
            until(tmp_path / "alerter.log", f"{page}/readyz")
            assert httpx2.get(f"{page}/api/status", timeout=10).status_code == 401
            answer = httpx2.get(f"{page}/api/status", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
            (budget,) = answer.json()["budgets"]
            assert (budget["budget"], budget["spent"]) == ("everything", "0.192")
    assert PASSWORD not in (tmp_path / "alerter.log").read_text(encoding="utf-8")


def mlflow(folder: Path, postgres: str, port: int) -> list[str]:
    """The command of the example's MLflow, at this machine's places."""
    script = COMPOSE["services"]["mlflow"]["command"][-1].replace("\\\n", " ")
    line = next(each for each in script.splitlines() if each.startswith("exec mlflow "))
    here = {
        "0.0.0.0": "127.0.0.1",  # noqa: S104 - not bound
        "5000": str(port),
        "/artifacts": str(folder / "artifacts"),
        "postgresql://mlflow@postgres/mlflow": f"postgresql+psycopg://mlflow@/mlflow?host={postgres}",
    }
    words = shlex.split(line.removeprefix("exec mlflow "))
    assert here.keys() <= set(words)
    return [sys.executable, "-m", "mlflow", *(here.get(word, word) for word in words)]


def settle(config: Path, postgres: str, port: int) -> None:
    """Write the daemon's configuration as the example has it, at this machine's places."""
    shutil.copytree(Path(__file__).parents[2] / "config", config)  # what the image brings
    for each in COMPOSE["services"]["alerter"]["configs"]:
        content = COMPOSE["configs"][each["source"]]["content"]
        content = content.replace("mlflow@postgres/alerter", f"mlflow@/alerter?host={postgres}")
        content = content.replace("0.0.0.0:8321", f"127.0.0.1:{port}")
        content = content.replace("receivers: [log]", f"receivers: [log], timezone: {noon_zone()}")
        (config / Path(each["target"]).name).write_text(content, encoding="utf-8")


@contextmanager
def started(command: list[str], folder: Path, name: str, **environ: str) -> Iterator[None]:
    """Run a part while the block lasts; what it prints is kept."""
    mine: Mapping[str, Any] = {"PATH": os.environ["PATH"], "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / f"{name}.log").open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env={**mine, **environ}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def until(log: Path, url: str) -> None:
    """Wait until an address answers that all is well."""
    end = time.monotonic() + 90
    while True:
        with suppress(httpx2.HTTPError):
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        assert time.monotonic() < end, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        time.sleep(0.2)
