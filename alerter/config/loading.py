"""Find the files of a folder and load them: at once at the start, with the last good ones beside them later."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from alerter.config.assembly import ALERTER, BUDGETS, PRICES, assemble
from alerter.config.machines import machines_path, read_machines_file
from alerter.config.model import Config
from alerter.config.problems import ConfigError, Problem
from alerter.config.revision import revision_of
from alerter.config.yaml_files import Document, read_yaml

FOLDER = "budgets"
"""Within the configuration's folder: one file a team."""


def load(directory: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration of a folder: ``alerter.yaml`` and ``prices.yaml`` may be missing, budgets may not.

    Raises:
        ConfigError: with every problem of every file, each with its line and column.
    """
    return _dated(assemble(directory, read_documents(directory), environ))


def load_keeping(
    directory: Path, last_good: Config, environ: Mapping[str, str] = os.environ
) -> tuple[Config, list[Problem]]:
    """Return the configuration for a reload, and what is wrong with the files as they are now.

    A bad file keeps its last good version and the others take effect. Where even that doesn't fit together, the main
    files keep theirs too; at worst everything stays as it was. With no problems it is what `load` returns.
    """
    try:
        documents = read_documents(directory)
        return _dated(assemble(directory, documents, environ)), []
    except ConfigError as error:
        problems = error.problems
    try:
        documents = read_documents(directory)
    except ConfigError:
        return last_good, list(problems)
    main = {directory / ALERTER, directory / PRICES}
    bad = {each.path for each in problems}
    for keep in (bad, bad | main):
        config = _load_with(directory, documents, last_good, keep, environ)
        if config is not None:
            return _dated(config), list(problems)
    return last_good, list(problems)


def snapshot(directory: Path, files: Iterable[Path] = ()) -> frozenset[tuple[str, int, int]]:
    """Return what changes when a file is edited, added or removed: paths with their modification time (ns) and size.

    Args:
        directory: of the configuration.
        files: watched besides, such as ``Config.files`` with the catalogs that it names.
    """
    seen = set()
    for path in {*_files(directory), *files}:
        try:
            state = path.stat()
        except OSError:
            continue  # removed just now: the next snapshot tells
        seen.add((str(path), state.st_mtime_ns, state.st_size))
    return frozenset(seen)


def _dated(config: Config) -> Config:
    return replace(config, revision=revision_of(config.directory))


def _load_with(
    directory: Path, new: Mapping[Path, Document], last_good: Config, bad: Collection[Path], environ: Mapping[str, str]
) -> Config | None:
    """Return the configuration with some files in their last good version; more of them as more turn out not to fit."""
    kept = set(bad)
    while True:
        try:
            return assemble(directory, _mix(new, last_good.documents, kept, directory), environ)
        except ConfigError as error:
            further = {each.path for each in error.problems} - kept
            if not further:
                return None
            kept |= further


def _mix(
    new: Mapping[Path, Document], old: Mapping[Path, Document], kept: Collection[Path], directory: Path
) -> dict[Path, Document]:
    mixed = {path: each for path, each in new.items() if path not in kept}
    if directory / BUDGETS in kept and directory / BUDGETS not in old:
        kept = set(kept) | set(old)  # the budgets were a folder, and nothing is left of it
    mixed |= {path: each for path, each in old.items() if path in kept}
    return {path: mixed[path] for path in sorted(mixed)}


def read_documents(directory: Path) -> dict[Path, Document]:
    """Return the parsed files of a folder; what is wrong with one stands in it.

    Raises:
        ConfigError: there is no such folder.
    """
    if not directory.is_dir():
        message = "no such folder: name it by --config DIR or $ALERTER_CONFIG"
        raise ConfigError([Problem(directory, 0, 0, message)])
    documents = {path: read_yaml(path) for path in _files(directory)}
    machines = machines_path(directory, documents.get(directory / ALERTER))
    if machines is not None:
        documents[machines] = read_machines_file(machines)
    for name in (ALERTER, BUDGETS, PRICES):
        path = directory / name
        other = path.with_suffix(".yml")
        if other.exists() and path not in documents:
            documents[other] = Document(other).give_up(f"is not read: rename it to {name}")
    return documents


def _files(directory: Path) -> list[Path]:
    named = [directory / name for name in (ALERTER, PRICES, BUDGETS)]
    folder = directory / FOLDER
    teams = [each for suffix in ("yaml", "yml") for each in folder.glob(f"*.{suffix}") if not each.name.startswith(".")]
    return [path for path in named if path.exists()] + sorted(teams)
