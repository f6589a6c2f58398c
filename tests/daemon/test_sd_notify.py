import os
import re
import socket
from pathlib import Path

import pytest

from alerter.sd_notify import notify, reloading, status, watchdog_s


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_one_datagram_a_call(tmp_path: Path, *, abstract: bool) -> None:
    name = f"@alerter-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(5)
        systemd.bind(name.replace("@", "\0", 1))
        assert notify("READY=1", status("two\nlines"), environ={"NOTIFY_SOCKET": name})
        assert systemd.recv(4096) == b"READY=1\nSTATUS=two lines"
        assert notify(reloading(), environ={"NOTIFY_SOCKET": name})
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", systemd.recv(4096))


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_without_a_socket_nothing_happens(address: str) -> None:
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": address})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_for_this_process_or_for_none(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_s(environ) == seconds
