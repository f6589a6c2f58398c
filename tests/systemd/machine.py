"""A machine with a real systemd: Debian in a folder, booted by systemd-nspawn, with the package installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.debian import PYTHON, run

PROJECT = Path(__file__).parents[2]
_WHEELS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")
_BOOT_S = 60.0
_GROUPS = Path("/sys/fs/cgroup")
_NO_MEMORY = {"memory.swappiness": "0", "memory.limit_in_bytes": "65536"}
_NO_MEMORY_V2 = {"memory.swap.max": "0", "memory.max": "65536"}


@dataclass(frozen=True)
class Machine:
    """A booted machine. ``root`` is its file system, ``init`` the process id of its systemd."""

    root: Path
    init: int

    def run(self, *command: str, check: bool = True, timeout: float = 90.0) -> str:
        """Run a command in it and return what it printed.

        Raises:
            AssertionError: it failed; with what it printed.
        """
        inside = ["nsenter", "--target", str(self.init), "--all", "--", "/usr/bin/env", "-i", "PATH=/usr/bin:/bin"]
        done = subprocess.run(
            [*inside, *command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=timeout
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    @contextmanager
    def without_memory(self, pid: str) -> Iterator[None]:
        """Let the kernel give one of its processes no further page while the block lasts."""
        first = (_GROUPS / "memory").is_dir()
        group = (_GROUPS / "memory" if first else _GROUPS) / f"alerter-test-{os.getpid()}"
        group.mkdir()
        try:
            for name, value in (_NO_MEMORY if first else _NO_MEMORY_V2).items():
                (group / name).write_text(value, encoding="ascii")
            # The kernel reads a process id as whoever writes it sees it.
            move = f"echo {pid} > {group}/cgroup.procs"
            run("nsenter", "--target", str(self.init), "--pid", "--", "sh", "-c", move)
            yield
        finally:
            group.rmdir()


def build(root: Path, debian: Path) -> None:
    """Unpack a Debian (a tar) in ``root`` and install the package in its /opt/alerter, as docs say."""
    root.mkdir()
    run("tar", "--extract", "--file", str(debian), "--directory", str(root))
    wheels = root.parent / "wheel"
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(PROJECT))
    shutil.copytree(wheels, root / "tmp" / "wheel")
    run("chroot", str(root), "python3", "-m", "venv", "/opt/alerter")
    lock = PROJECT / ".ci" / "requirements-core.txt"
    packages_in = root / "opt" / "alerter" / "lib" / f"python{PYTHON}" / "site-packages"
    platforms = [f"--platform={each}" for each in _WHEELS]
    binary = ("--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp", *platforms)
    _pip("install", "--no-deps", "--require-hashes", f"--requirement={lock}", f"--target={packages_in}", *binary)
    wheel = next((root / "tmp" / "wheel").iterdir())
    inside = ["/opt/alerter/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    run("chroot", str(root), *inside, f"/tmp/wheel/{wheel.name}")  # noqa: S108 - inside the machine


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """Boot the machine in ``root`` on this one's network, and power it off at the end."""
    log = root.parent / "console.txt"
    command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--directory", str(root)]
    with log.open("wb") as console:
        nspawn = subprocess.Popen(
            [*command, "--machine", f"alerter-{os.getpid()}"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
        machine = None
        try:
            machine = _wait_for_boot(root, nspawn, log)
            yield machine
        finally:
            if machine is not None:
                machine.run("systemctl", "poweroff", "--force", check=False)
            try:
                nspawn.wait(20)
            except subprocess.TimeoutExpired:
                if machine is not None:
                    run("kill", "-KILL", str(machine.init))
                nspawn.kill()
                nspawn.wait(10)


def _wait_for_boot(root: Path, nspawn: subprocess.Popen[bytes], log: Path) -> Machine:
    until = time.monotonic() + _BOOT_S
    while time.monotonic() < until and nspawn.poll() is None:
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text(encoding="ascii").split()
        for child in children:
            machine = Machine(root, int(child))
            if machine.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}:
                return machine
        time.sleep(0.2)
    raise AssertionError(f"the machine did not boot:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def _pip(*arguments: str) -> None:
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
