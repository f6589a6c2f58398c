"""The version that a build gets, from git's tags; the build asks for it (`[tool.hatch.version]` in pyproject.toml).

    v1.2.0              the tagged commit
    1.2.1.dev3+g0a1b2c3 three commits later
    0.1.0.dev0          where there is no git: the image's build says ALERTER_VERSION, an sdist has it in PKG-INFO

A shallow clone without tags counts fewer commits, and names the same one.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST = "0.1.0"
"""What is worked towards before the first tag."""


def version(root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> str:
    """Return the version of what stands in a folder."""
    said = environ.get("ALERTER_VERSION", "").strip()
    if said:
        return said.removeprefix("v")
    if not (root / ".git").exists():  # another project's repository may lie around it
        return f"{FIRST}.dev0"
    described = _git(root, "describe", "--tags", "--long", "--match", "v[0-9]*")
    found = re.fullmatch(r"v(.+)-(\d+)-(g[0-9a-f]+)", described)
    if found is None:
        commit, count = _git(root, "rev-parse", "--short", "HEAD"), _git(root, "rev-list", "--count", "HEAD")
        return f"{FIRST}.dev{count}+g{commit}" if commit and count else f"{FIRST}.dev0"
    tag, distance, commit = found.groups()
    return tag if distance == "0" else f"{_next(tag)}.dev{distance}+{commit}"


def _next(tag: str) -> str:
    """Return the release after a tag: its last number and one more; a pre-release leads to its release."""
    numbers = re.match(r"\d+(\.\d+)*", tag)
    release = numbers[0] if numbers else FIRST
    if release != tag:
        return release
    before, _, last = release.rpartition(".")
    return f"{before}.{int(last) + 1}" if before else f"{int(last) + 1}"


def _git(root: Path, *arguments: str) -> str:
    """Return what git says, ``""`` where it can't be asked."""
    command = ("git", "-C", str(root), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - git, by constants
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    print(version())
