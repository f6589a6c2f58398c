"""Whatever happens to attempts, look-ups and processes: nothing is lost, nothing is told twice."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from threading import Event

from hypothesis import given, settings, strategies as st
from sqlalchemy import event

from alerter.delivery import deliver_due
from alerter.holds import acknowledge, unacknowledge
from alerter.store.engine import Store
from alerter.store.outbox_read import list_notifications, pending_count
from tests.delivery.fakes import Clock, CrashError, Service
from tests.fixtures.rows import NOW_MS, add_alert, add_notification

ENDS = ("ok", "delay", "limit", "lost", "posted", "late", "bug", "crash_before", "crash_after")
STEP_MS = 31_000
KEYS = ("a", "b", "c")


@settings(max_examples=40)
@given(
    script=st.lists(st.sampled_from(ENDS), max_size=12),
    finds=st.lists(st.sampled_from(("ok", "fail", "bug")), max_size=6),
    updates=st.lists(st.sampled_from(("ok", "limit", "bug")), max_size=4),
    fails=st.sets(st.integers(1, 60), max_size=4),
    actions=st.lists(st.booleans() | st.none(), max_size=12),
)
def test_every_message_is_posted_once_and_shows_the_last_state(  # noqa: PLR0917 - hypothesis names them
    migrated_sqlite: Path,
    script: list[str],
    finds: list[str],
    updates: list[str],
    fails: set[int],
    actions: list[bool | None],
) -> None:
    """``fails``: commits that crash the process; ``actions``: acknowledge, take back, or neither, between passes."""
    clock = Clock(NOW_MS)
    service = Service(clock, script=script, finds=finds, updates_script=updates)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(migrated_sqlite, path := Path(folder) / "alerter.db")
        with closing(Store(f"sqlite:///{path}")) as store:
            alert = add_alert(store)
            for key in KEYS:
                add_notification(store, key, alert)
            _crash_commits(store, fails)
            for number in range(60):
                with suppress(CrashError):
                    if number < len(actions) and actions[number] is not None:
                        _act(store, alert.public_id, acknowledged=bool(actions[number]))
                    while deliver_due(store, {"slack": service}, clock=clock, owner="me", stop=Event()):
                        pass
                clock.now_ms += STEP_MS * (1 + number)
            with store.read() as connection:
                states = {each.key: each.status for each in list_notifications(connection)}
            assert states == dict.fromkeys(KEYS, "sent")
            assert Counter(service.keys) == dict.fromkeys(KEYS, 1)
            assert set(_shown(service).values()) == {_is_held(store)}


def _act(store: Store, reference: str, *, acknowledged: bool) -> None:
    if acknowledged:
        acknowledge(store, reference, actor="ann", via="cli", now_ms=NOW_MS)
    else:
        unacknowledge(store, reference, actor="ann", via="cli", now_ms=NOW_MS)


def _crash_commits(store: Store, fails: set[int]) -> None:
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1
        if commits in fails:
            raise CrashError

    event.listen(store.engine, "commit", count)


def _shown(service: Service) -> dict[str, bool]:
    """Whether each message, as it stands in the channel now, says that somebody has acknowledged it."""
    shown = {
        key: any(each.by for each in states.values())
        for key, (_, _, states) in zip(service.keys, service.told, strict=True)
    }
    for key, _, states in service.updated:
        shown[key] = any(each.by for each in states.values())
    return shown


def _is_held(store: Store) -> bool:
    with store.read() as connection:
        return bool(connection.exec_driver_sql("SELECT COUNT(*) FROM hold WHERE ended_ms IS NULL").scalar())


def test_a_process_killed_at_any_point_loses_and_doubles_nothing(store_url: str, tmp_path: Path) -> None:
    """Real processes, real SIGKILL, before the post, after it, and at every kind of commit."""
    with closing(Store(store_url)) as store:
        for number in range(30):
            add_notification(store, f"k{number}", channel=f"#{number % 2}")
    service = tmp_path / "service"
    program = Path(__file__).with_name("killed_delivery.py")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, program, store_url, service],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == 0, done.stderr
    killed = Counter(line.split()[0] for line in done.stdout.splitlines())
    assert set(killed) >= {"before_post", "after_post", "commit"}
    assert sorted(service.read_text().split()) == sorted(f"k{number}" for number in range(30))
    with closing(Store(store_url)) as store, store.read() as connection:
        assert pending_count(connection) == 0
        assert {each.status for each in list_notifications(connection)} == {"sent"}
