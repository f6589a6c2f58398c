"""The image, built by the Dockerfile as it stands on a base made here, and run as a cluster would run it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fixtures.debian import run
from tests.fixtures.mlflow_server import MlflowServer

pytestmark = [pytest.mark.needs_buildah, pytest.mark.timeout(500)]

PROJECT = Path(__file__).parents[2]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USER = 10001
# Beside Debian's Python a pip where Python's own images have theirs.
BASE = """\
FROM scratch
ADD base.tar /
COPY pip /usr/local/bin/pip3
COPY pip /usr/local/lib/python3.11/site-packages/pip/__main__.py
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
"""
# A root that can't be written to, beside a volume and /tmp: what `read_only: true` and `readOnlyRootFilesystem` mean.
READ_ONLY = """\
set -eu
mount --bind "$1" "$1"
mount --bind "$2" "$1/var/lib/alerter"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mount -o remount,ro,bind "$1"
shift 2
exec "$@"
"""


@dataclass(frozen=True)
class Image:
    """A built image: what it says of itself, and its files."""

    config: dict[str, Any]
    root: Path

    def command(self, volume: Path, *arguments: str) -> list[str]:
        """Return the command that runs the image's entry point as its user on a read-only root."""
        environ = [f"--chdir={self.config['WorkingDir']}", *self.config["Env"], "HOME=/var/lib/alerter"]
        words = [*self.config["Entrypoint"], *arguments]
        inside = ["chroot", f"--userspec={USER}:{USER}", str(self.root), "/usr/bin/env", "-i", *environ, *words]
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child=TERM"]
        return [*alone, "sh", "-c", READ_ONLY, "sh", str(self.root), str(volume), *inside]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, debian: Path) -> Iterator[Image]:
    """The image, mounted."""
    folder = tmp_path_factory.mktemp("image")
    shutil.copy(debian, folder / "base.tar")
    shutil.copy(CERTIFICATES, folder / "certificates.crt")
    (folder / "pip").write_text("#!/usr/bin/python3\n", encoding="utf-8")
    (folder / "Dockerfile").write_text(BASE, encoding="utf-8")
    buildah = ["env", "BUILDAH_ISOLATION=chroot", "STORAGE_DRIVER=vfs", "buildah"]
    buildah += [f"--root={folder / 'store'}", f"--runroot={folder / 'run'}"]
    run(*buildah, "bud", "--quiet", "--tag=base", str(folder))
    arguments = ("--build-arg=BASE=localhost/base", "--build-arg=VERSION=v7.8.9")
    run(*buildah, "bud", "--quiet", "--format=docker", *arguments, "--tag=alerter", str(PROJECT))
    described = json.loads(run(*buildah, "inspect", "--type=image", "localhost/alerter"))
    container = run(*buildah, "from", "localhost/alerter").strip()
    root = Path(run(*buildah, "mount", container).strip())
    yield Image(described["Docker"]["config"], root)
    run(*buildah, "umount", container)
    shutil.rmtree(folder / "store", ignore_errors=True)


def test_it_runs_as_nobody_and_can_say_how_it_is(image: Image) -> None:
    assert image.config["User"] == str(USER)
    assert image.config["Healthcheck"]["Test"][:2] == ["CMD", "python3"]
    assert list(image.config["Volumes"]) == ["/var/lib/alerter"]


def test_it_is_of_the_version_that_its_builder_said(image: Image, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, USER, USER)
    assert run(*image.command(volume, "--version")) == "alerter 7.8.9\n"


def test_it_holds_nothing_to_build_with(image: Image) -> None:
    for tool in ("gcc", "cc", "make", "git"):
        assert not list(image.root.glob(f"usr/bin/{tool}"))
    for place in ("opt/alerter", "usr/local"):
        assert not list(image.root.glob(f"{place}/bin/pip*"))
        assert not list(image.root.glob(f"{place}/lib/python3*/site-packages/pip*"))
    assert not (image.root / "src").exists()


def test_it_holds_no_secret_and_no_test(image: Image) -> None:
    files = {path.name for path in (image.root / "etc/alerter").iterdir()}
    assert files == {path.name for path in (PROJECT / "config").iterdir()}
    assert not list(image.root.glob("opt/alerter/lib/python3*/site-packages/tests"))


def test_its_daemon_lives_on_a_root_that_it_can_not_write_to(
    image: Image, tmp_path: Path, mlflow_server: MlflowServer
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, USER, USER)
    experiment = mlflow_server.experiment_name(mlflow_server.experiment())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = {"name": "main", "tracking_uri": mlflow_server.uri, "experiments": {"include": [experiment]}}
    config = {"sources": [source], "web": {"listen": f"127.0.0.1:{port}"}, "poll": {"every": "1s"}}
    budget = {"name": "all", "amount": "10", "period": "monthly", "receivers": ["console"]}
    for name, text in (("alerter", config), ("budgets", {"budgets": [budget]}), ("prices", {})):
        (volume / f"{name}.yaml").write_text(json.dumps(text), encoding="utf-8")
    with started(image.command(volume, "run", "--config", "/var/lib/alerter"), tmp_path) as process:
        page = f"http://127.0.0.1:{port}"
        wait_until_ready(page, process, tmp_path)
        assert httpx2.get(f"{page}/api/status", timeout=10).json()["budgets"][0]["spent"] == "0.00"
        health = [word.replace("8321", str(port)) for word in image.config["Healthcheck"]["Test"][1:]]
        run(*image.command(volume)[:-1], *health)
    assert (volume / "alerter.db").stat().st_uid == USER


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while the block lasts; what it prints is kept in ``out``."""
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        try:
            yield process
        finally:
            with suppress(
                ProcessLookupError
            ):  # all of its session: who changes its user no longer dies with its parent
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def wait_until_ready(page: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the daemon's data is fresh."""
    end = time.monotonic() + 60
    while True:
        with suppress(httpx2.HTTPError):
            if httpx2.get(f"{page}/readyz", timeout=5).status_code == 200:
                return
        assert time.monotonic() < end
        said = (folder / "out").read_text(encoding="utf-8", errors="replace")[-2000:]
        assert process.poll() is None, said
        time.sleep(0.2)
