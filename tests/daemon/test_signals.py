"""Signals are heard whatever the main thread does."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading
from alerter.cli.signals import watched_signals

with watched_signals() as signals:
    heard = threading.Event()
    signals.hangup = heard.set
    def to_another_thread():
        signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
        print("reloads" if heard.wait(10) else "deaf", flush=True)
        signal.pthread_kill(threading.get_ident(), getattr(signal, sys.argv[1]))
    threading.Timer(0.2, to_another_thread).start()
    print("stops" if signals.stop.wait(20) else "deaf", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_one_that_another_thread_gets_is_heard_while_the_main_thread_waits(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("reloads\nstops\n", "", -15)
