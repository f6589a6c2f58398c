"""Tell systemd how the daemon is: the protocol of sd_notify(3) in a few lines of the standard library."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send ``NAME=value`` lines in one datagram to $NOTIFY_SOCKET; return whether there is one and it took them."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # A leading @ stands for the NUL byte of an abstract socket.
    address = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
            speaker.settimeout(1.0)
            speaker.sendto("\n".join(lines).encode(), address)
    except OSError as error:
        log.warning("systemd was not told lines=%r error=%s", lines, error)
        return False
    return True


def status(text: str) -> str:
    """Return the line that `systemctl status` shows: one line, whatever the text."""
    return f"STATUS={' '.join(text.split())}"


def reloading() -> str:
    """Return the lines that announce a reload; they carry the monotonic clock, in microseconds."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def watchdog_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return after how many seconds without a sign of life systemd ends this process; None where it never does."""
    usec = environ.get("WATCHDOG_USEC", "")
    mine = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
    return int(usec) / 1_000_000 if mine and usec.isascii() and usec.isdecimal() and int(usec) else None
