"""Which commit a configuration's folder is at, so that a change can be traced to who made it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from pathlib import Path
from shutil import which

log = logging.getLogger(__name__)

FILE = "REVISION"
"""In a folder that is no git work tree (an image, a ConfigMap), whoever copies it writes the revision here."""

_WORD = re.compile(r"[\w.+/-]{1,40}")
_WAIT_S = 10.0


def revision_of(directory: Path) -> str:
    """Return the short hash of the last commit that changed a folder, or what its file ``REVISION`` says.

    ``""`` where neither tells, and where files differ from their commit: what is in force is nobody's then.
    """
    written, whole = _written(directory / FILE), directory.resolve()
    if written or not any((each / ".git").exists() for each in (whole, *whole.parents)):
        return written
    if _git(directory, "status", "--porcelain", "--untracked-files=all", "--", "*.yaml", "*.yml", "*.csv") != "":
        return ""
    return _git(directory, "log", "-1", "--format=%h", "--", ".") or ""


def _written(path: Path) -> str:
    try:
        found = _WORD.match(path.read_text(encoding="utf-8")[:200].strip())
    except (OSError, UnicodeDecodeError):
        return ""
    return found[0] if found else ""


def _git(directory: Path, *words: str) -> str | None:
    """Return what git says of a folder; None where it can't be asked."""
    git = which("git")
    if git is None:
        log.debug("git is not installed, so the configuration's revision is unknown")
        return None
    command = [git, "-C", str(directory), "--no-optional-locks", "-c", "core.fsmonitor=false", *words]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - by its full path, and no word of it is anybody's
            command, env=environment, capture_output=True, text=True, timeout=_WAIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        log.info("git does not tell the configuration's revision error=%s", type(error).__name__)
        return None
    return done.stdout.strip()
