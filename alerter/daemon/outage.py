"""What is known of an outage of the daemon's own, in a file: a process that can't begin is restarted, and forgets."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

log = logging.getLogger(__name__)

FORGOTTEN_MS = 86_400_000
"""After so long without a failure the next one is another outage: whoever saw the last one ended before it was over."""


@dataclass(slots=True)
class Outage:
    """Since when something has failed (epoch ms), and who is still to be told of it.

    ``pending`` holds, by kind of notifier, whether a notice may have arrived; it is None before anybody is told.
    ``owner`` saw it first. ``seen_ms`` is when it last failed.
    """

    since_ms: int
    owner: str
    seen_ms: int
    pending: dict[str, bool] | None = field(default=None)


class Memory:
    """Keeps the outage of the moment, if there is one, in the first place that takes it: the database may not.

    These are systemd's state directory, the folder of a SQLite database, and that of temporary files.
    """

    def __init__(self, url: URL, environ: Mapping[str, str] = os.environ) -> None:
        self._name = f".alerter-{sha256(url.render_as_string().encode()).hexdigest()[:12]}.outage"
        self._places = [each / self._name for each in dict.fromkeys(_folders(url, environ))]

    def load(self) -> Outage | None:
        """Return what is remembered; None where there is nothing, or nothing that can be read."""
        for each in self._places:
            with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
                if each.stat(follow_symlinks=False).st_uid == os.geteuid():
                    said: dict[str, Any] = json.loads(each.read_text(encoding="utf-8"))
                    pending = said["pending"]
                    known = None if pending is None else {str(kind): bool(may) for kind, may in pending.items()}
                    return Outage(int(said["since_ms"]), str(said["owner"]), int(said["seen_ms"]), known)
        return None

    def keep(self, outage: Outage) -> bool:
        """Remember an outage; False where no place takes it."""
        text, kept = json.dumps(asdict(outage)), False
        for each in self._places:
            if kept:
                _remove(each)
            else:
                kept = _write(each, text)
        if not kept:
            log.warning("an outage can't be remembered places=%s", [str(each.parent) for each in self._places])
        return kept

    def forget(self) -> None:
        """Remember none."""
        for each in self._places:
            _remove(each)


def _folders(url: URL, environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("STATE_DIRECTORY"):
        yield Path(environ["STATE_DIRECTORY"].partition(":")[0])
    if url.get_backend_name() == "sqlite" and url.database:
        yield Path(url.database).absolute().parent
    yield Path(environ.get("TMPDIR") or tempfile.gettempdir())


def _write(path: Path, text: str) -> bool:
    """Write a file anew; whatever has its name, a link of somebody else's, is replaced and not written through."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    except OSError:
        return False
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        _remove(Path(name))
        return False
    return True


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
