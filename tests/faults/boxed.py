"""The real daemon as a process whose file systems a test chooses: a disk that is full, names that aren't found."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.fixtures.slack_emulator import free_port

COMMAND = Path(sys.executable).with_name("alerter")
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Boxed:
    """A daemon that runs with mounts of its own, its page, and what it printed."""

    process: subprocess.Popen[bytes]
    folder: Path
    page: str

    def inside(self, script: str) -> str:
        """Run a line of shell among its mounts and return what that printed."""
        command = ["nsenter", "--mount", f"--target={self.process.pid}", "sh", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout

    def said(self) -> str:
        """Return what it told on its standard output: notices and alerts."""
        return (self.folder / "out").read_text(encoding="utf-8")

    def log(self) -> str:
        """Return what it logged."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def get(self, path: str) -> httpx2.Response:
        """Ask its page."""
        return httpx2.get(self.page + path, timeout=10)

    def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, self.log()[-3000:]
            assert self.process.poll() is None, self.log()[-3000:]
            time.sleep(0.1)

    def is_ready(self) -> bool:
        """Whether its page says so."""
        try:
            return self.get("/readyz").status_code == 200
        except httpx2.HTTPError:
            return False


@contextmanager
def boxed(folder: Path, mounts: str, **environ: str) -> Iterator[Boxed]:
    """Run the daemon on ``folder``/config after the shell lines ``mounts``; it ends by itself when it is told to.

    ``config/alerter.yaml`` gets its ``web`` here.
    """
    port = free_port()
    settings = folder / "config" / "alerter.yaml"
    settings.write_text(
        settings.read_text(encoding="utf-8") + f'web: {{listen: "127.0.0.1:{port}"}}\n', encoding="utf-8"
    )
    script = f'set -eu\n{mounts}\nexec "$0" run --config config'
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONUNBUFFERED": "1", **environ}
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, str(COMMAND)],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
        )
        try:
            yield (box := Boxed(process, folder, f"http://127.0.0.1:{port}"))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, box.log()[-3000:]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)
