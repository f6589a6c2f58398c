"""Who polls, on a real PostgreSQL: one at a time, by the database's clock, and never one that has lost it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from alerter.leadership import Leadership, called, leading
from alerter.store.bulk import query
from alerter.store.engine import Store, StoreError
from alerter.store.lease import FencedError, fence, give_up, holder, renew, take

pytestmark = pytest.mark.needs_postgres

LONG, SHORT = 60_000, 100
Open = Callable[[], Store]


@pytest.fixture
def opened(postgres_store_url: str) -> Iterator[Open]:
    """Opens the same migrated database as another process would."""
    with ExitStack() as stack:

        def make() -> Store:
            return stack.enter_context(closing(Store(postgres_store_url)))

        yield make


def write(store: Store, epoch: int) -> None:
    with store.write() as connection:
        fence(connection, epoch)
        query(connection, "INSERT INTO meta (name, value) VALUES (?, '') ON CONFLICT DO NOTHING", str(epoch))


def written(store: Store) -> list[str]:
    with store.read() as connection:
        return [row.name for row in query(connection, "SELECT name FROM meta ORDER BY name")]


def taken(store: Store, length_ms: int = LONG) -> int:
    deadline = time.monotonic() + 10
    while (epoch := take(store, length_ms)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return epoch


def test_one_has_it_until_it_is_given_up(opened: Open) -> None:
    one, other = opened(), opened()
    assert take(one, LONG) == 1
    assert take(other, LONG) is None
    with other.read() as connection:
        assert holder(connection) == one.session
    give_up(one, 1)
    with other.read() as connection:
        assert holder(connection) == ""
    assert take(other, LONG) == 2
    assert not renew(one, 1, LONG)
    give_up(one, 1)  # it is no longer its own
    assert renew(other, 2, LONG)


def test_of_many_at_once_one_gets_it(opened: Open) -> None:
    stores, found, ready = [opened() for _ in range(6)], [], threading.Barrier(6)

    def compete(store: Store) -> None:
        ready.wait(10)
        found.append(take(store, LONG))

    threads = [threading.Thread(target=compete, args=(each,)) for each in stores]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(found, key=str) == [1, None, None, None, None, None]


def test_a_late_write_is_refused_and_changes_nothing(opened: Open) -> None:
    one, other = opened(), opened()
    first = taken(one, SHORT)
    write(one, first)
    second = taken(other)
    with pytest.raises(FencedError, match="another daemon polls"):
        write(one, first)
    write(other, second)
    assert written(other) == ["1", "2"]


def test_a_transaction_that_stands_still_ends_with_its_lease(opened: Open) -> None:
    """As of a process that was stopped: its locks are freed by whoever takes over."""
    one, other = opened(), opened()
    first = taken(one, SHORT)
    began = time.monotonic()
    with pytest.raises(StoreError), one.write() as connection:  # noqa: PT012 - the transaction is what breaks
        fence(connection, first)
        query(connection, "INSERT INTO meta (name, value) VALUES ('late', '')")
        assert taken(other) == 2
        query(connection, "INSERT INTO meta (name, value) VALUES ('later', '')")
    assert time.monotonic() - began < 2
    assert written(other) == []
    write(other, 2)


def test_a_renewal_waits_for_no_transaction_of_the_poll(opened: Open) -> None:
    one = opened()
    epoch = taken(one)
    with one.write() as connection:
        fence(connection, epoch)
        began = time.monotonic()
        assert renew(one, epoch, LONG)
        assert time.monotonic() - began < 1


def test_a_program_takes_it_only_over_its_own_schema(opened: Open) -> None:
    one = opened()
    with one.write() as connection:
        query(connection, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"schema 9999, and this alerter knows .*restart it"):
        take(one, LONG)


def test_it_is_lost_when_it_is_not_renewed_and_had_again_under_another_epoch(opened: Open) -> None:
    clock, roles = [0.0], []
    one = Leadership(opened(), length_s=0.2, clock=lambda: clock[0])
    one.changed = lambda: roles.append(one.role)
    one.step()
    assert (one.epoch, one.role) == (1, "polls")
    clock[0] = 0.3
    assert one.epoch is None  # whatever the database says
    assert one.role == "standing by; nobody polls"  # it saw no other, and names nobody; least of all itself
    time.sleep(0.3)
    other = Leadership(opened(), length_s=60, clock=lambda: clock[0])
    other.step()
    assert other.epoch == 2
    one.step()
    one.step()
    assert (roles, other.other) == (["polls", f"standing by; {one.other} polls"], "")
    assert one.other
    with pytest.raises(FencedError), opened().write() as connection:
        one.fence(one.epoch)(connection)
    other.end()


def test_a_poll_that_hangs_gives_it_up(opened: Open) -> None:
    lives = [True]
    one = Leadership(opened(), length_s=60, alive=lambda: lives[0])
    other = Leadership(opened(), length_s=60)
    one.step()
    other.step()
    assert (one.epoch, other.epoch) == (1, None)
    lives[0] = False
    one.step()
    other.step()
    assert (one.epoch, other.epoch) == (None, 2)


def test_a_second_once_is_told_who_polls(opened: Open) -> None:
    one, other = opened(), opened()
    with leading(one) as lead:
        assert lead.epoch == 1
        with pytest.raises(StoreError, match="is polled by another alerter, ") as refused, leading(other):
            pass
        assert called(one.session) in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
    with leading(other) as lead:
        assert lead.epoch == 2


def test_a_session_that_sleeps_in_a_transaction_is_limited(opened: Open) -> None:
    with pytest.raises(StoreError, match="idle-in-transaction"), opened().write() as connection:  # noqa: PT012 - all of it
        assert query(connection, "SHOW idle_in_transaction_session_timeout").scalar() == "1min"
        query(connection, "SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        time.sleep(0.3)
        query(connection, "SELECT 1")


def test_sqlite_needs_none(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/alerter.db")) as store:
        alone = Leadership(store, length_s=60)
        alone.begin()
        assert (alone.epoch, alone.role) == (0, "")
        alone.end()
    assert not list(tmp_path.iterdir())
