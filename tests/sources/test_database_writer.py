"""MLflow's own client writes to its SQLite while that is read again and again: no write fails, none waits long."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from alerter.sources.mlflow_database import MlflowDatabaseSource
from tests.fixtures.mlflow_data import seed_runs
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import DAY, NOW, Poller

RUNS = 6_000
WRITES = 30
PATIENCE_S = 1.0
"""What a write may wait for a reader, on a machine that runs other tests; MLflow gives up after 20 s."""

WRITER = """
import sys, time
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])

def slowest():
    found = 0.0
    for _ in range(int(sys.argv[2])):
        began = time.perf_counter()
        run = client.create_run("0", run_name="written").info.run_id
        client.log_metric(run, "loss", 0.5)
        client.set_terminated(run)
        found = max(found, time.perf_counter() - began)
    return found

print(slowest(), flush=True)
sys.stdin.readline()
print(slowest(), flush=True)
"""


def test_a_writer_waits_for_no_reader(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    path = shutil.copyfile(mlflow_server.database, tmp_path / "mlflow.db")
    seed_runs(path, RUNS, first_start_ms=NOW - DAY, every_ms=1000)
    store = f"sqlite:///{path}"
    command = [sys.executable, "-W", "ignore", "-c", WRITER, store, str(WRITES)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=dict(os.environ), **pipes) as writer:  # type: ignore[call-overload]
        alone = float(writer.stdout.readline())
        writer.stdin.write("now beside a reader\n")
        writer.stdin.flush()
        reads = 0
        while writer.poll() is None:
            assert len(read(store).runs) >= RUNS
            reads += 1
        beside = float(writer.stdout.readline())
    assert writer.returncode == 0
    assert reads > 1
    assert beside < alone + PATIENCE_S, f"{alone:.2f} s alone, {beside:.2f} s beside {reads} reads of everything"
    assert [run.name for run in read(store).runs.values()].count("written") == 2 * WRITES


def read(store: str) -> Poller:
    return Poller(MlflowDatabaseSource(name="main", tracking_uri="http://127.0.0.1:9", backend_store=store)).poll()
