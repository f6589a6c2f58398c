import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alerter.store.engine import Store, StoreError
from alerter.store.lock import hold_lock

HOLDER = """
import sys, time
from alerter.store.engine import Store
from alerter.store.lock import hold_lock
with hold_lock(Store(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start(url: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_it_until_that_one_is_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'alerter.db'}"
    with start(url) as process:
        with pytest.raises(StoreError, match=rf"another alerter \(process {process.pid}\); stop that one") as refused:
            hold_lock(Store(url)).__enter__()
        assert len(str(refused.value).splitlines()) == 1
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    with hold_lock(Store(url)):
        pass


def test_a_link_to_the_database_is_the_same_lock(tmp_path: Path) -> None:
    path = tmp_path / "alerter.db"
    path.touch()
    (tmp_path / "link.db").symlink_to(path)
    with hold_lock(Store(f"sqlite:///{path}")), pytest.raises(StoreError, match="another alerter"):
        hold_lock(Store(f"sqlite:///{tmp_path / 'link.db'}")).__enter__()


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'alerter.db'}")
    with pytest.raises(KeyError), hold_lock(store):
        raise KeyError
    with hold_lock(store):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"No such file or directory.*create its folder"):
        hold_lock(Store(f"sqlite:///{tmp_path / 'nowhere' / 'alerter.db'}")).__enter__()


@pytest.mark.needs_postgres
def test_postgresql_is_shared(postgres_url: str) -> None:
    with hold_lock(Store(postgres_url)), hold_lock(Store(postgres_url)):
        pass


def test_a_full_disk_takes_no_note_of_the_holder_but_holds(tmp_path: Path) -> None:
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    script = full + HOLDER.replace('print("held", flush=True)', "").replace("time.sleep(60)", "pass")
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{tmp_path}/alerter.db"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
