"""Two ledgers that number alike and tell the same people."""

import shutil
from contextlib import closing
from pathlib import Path

from alerter.store.engine import Store
from tests.deciding.tools import at, budget, costs, daemon


def keys(folder: Path, migrated_sqlite: Path) -> set[object]:
    folder.mkdir()
    shutil.copyfile(migrated_sqlite, folder / "alerter.db")
    monday = at("2026-11-09 10:00")
    with (
        closing(Store(f"sqlite:///{folder / 'alerter.db'}")) as store,
        daemon(store, folder, budget(receivers="[a, b]"), monday) as home,
    ):
        home.source.put(costs("r", 90, monday))
        home.cycle(monday)
        home.cycle(monday + 60_000)
        return {key for (key,) in home.rows("SELECT key FROM notification")}


def test_services_tell_their_messages_apart(tmp_path: Path, migrated_sqlite: Path) -> None:
    """A mail's Message-ID is made of the key: of two mails with one id, clients show one."""
    one, other = (keys(tmp_path / name, migrated_sqlite) for name in ("staging", "production"))
    assert len(one) == len(other) == 2
    assert not one & other
