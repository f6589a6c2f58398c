"""The unit for systemd, as systemd itself reads it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "alerter.service"
COMMAND = Path(sys.executable).with_name("alerter")
MOST_EXPOSED = 1.2

pytestmark = pytest.mark.needs_systemd


def test_it_verifies(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/alerter/bin/alerter", str(COMMAND)), encoding="utf-8"
    )
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_may_do_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(r"Overall exposure level for alerter\.service: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) <= MOST_EXPOSED


def test_it_waits_longer_than_the_daemon_takes_to_end() -> None:
    text = UNIT.read_text(encoding="utf-8")
    for setting in ("Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "TimeoutStopSec=30", "StartLimitBurst="):
        assert setting in text
    assert re.search(r"^WatchdogSec=\d+$", text, re.MULTILINE)
