"""An MLflow server of the demo's own: SQLite, one worker, a free loopback port, and no life after the demo's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from alerter.demo.problems import DemoError

LOOPBACK = "127.0.0.1"
START_S = 120.0
GRACE_S = 8.0
_LAST_LINES = 12

# The watcher reads a pipe that nobody writes to: it ends when the demo does, even by SIGKILL, and then it ends the
# server and its worker, which are all of this process group.
_WATCHED = 'exec 3<&0; { read -r _ <&3; kill -TERM 0; } & exec "$@" 3<&- </dev/null'

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # job runners take 160 MB each
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that went away is noticed soon
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "GIT_PYTHON_REFRESH": "quiet",
}
_FOREIGN = ("MLFLOW_", "_MLFLOW_", "SLACK_", "SMTP_", "ALERTER_")


def own_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for the demo: without what configures the caller's MLflow, Slack and mail.

    A proxy that the caller needs elsewhere is not asked for this machine's own addresses.
    """
    kept = {key: value for key, value in environ.items() if not key.startswith(_FOREIGN)}
    kept.pop("CREDENTIALS_DIRECTORY", None)
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(part for part in (kept.get(name, ""), LOOPBACK, "localhost") if part)
    return kept | _QUIET


def has_mlflow_server() -> bool:
    """Whether full MLflow is installed: the slim client, which the daemon needs, has no server."""
    from importlib import metadata  # noqa: PLC0415 - nothing else here needs it

    try:
        metadata.distribution("mlflow")
    except metadata.PackageNotFoundError:
        return False
    return True


@contextmanager
def mlflow_server(folder: Path, environ: Mapping[str, str], stop: threading.Event) -> Iterator[str]:
    """Run a server with all that it writes in ``folder``; give its address once it answers, and end it afterwards.

    Raises:
        DemoError: it did not start; the message has the end of its log.
    """
    folder.mkdir()
    port = _free_port()
    address = f"http://{LOOPBACK}:{port}"
    log_path = folder / "server.log"
    with log_path.open("wb") as output:
        process = start_watched(_command(folder, port), folder, environ, output)
        try:
            _wait_for(address, process, log_path, stop)
            yield address
        finally:
            _end(process)


def start_watched(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, which ends when this process does, however it ends."""
    return subprocess.Popen(  # noqa: S603 - our own command
        ["/bin/sh", "-c", _WATCHED, "sh", *command],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for the demo, which ends it when the daemon has stopped
    )


def _command(folder: Path, port: int) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    return [*command, "--artifacts-destination", str(folder / "artifacts")]


def _wait_for(address: str, process: subprocess.Popen[bytes], log_path: Path, stop: threading.Event) -> None:
    # Not /health: the first search is what opens the database.
    question = f"{address}/api/2.0/mlflow/experiments/search?max_results=1"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_S
    while not stop.is_set():
        with suppress(OSError, urllib.error.URLError), direct.open(question, timeout=10):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            said = log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise DemoError("MLflow's server did not start; the end of its log:\n  " + "\n  ".join(said))
        stop.wait(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server, its worker and the watcher: the group that was made for them."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_S)
            break
    with suppress(ProcessLookupError, PermissionError):  # what is left of the group; macOS says EPERM for none
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
