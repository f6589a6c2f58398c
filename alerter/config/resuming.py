"""Start although a team's file has a mistake: with the version of it that was in force before."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from alerter.config.assembly import assemble
from alerter.config.loading import FOLDER, load, read_documents
from alerter.config.model import Config
from alerter.config.problems import ConfigError, Problem
from alerter.config.revision import revision_of
from alerter.config.yaml_files import parse_yaml

Remembered = Callable[[Config], Mapping[str, str]]
"""Given a configuration that names a database: the texts of team files that were in force, by their names."""


def load_resuming(
    directory: Path, remembered: Remembered, environ: Mapping[str, str] = os.environ
) -> tuple[Config, tuple[Problem, ...]]:
    """Return the configuration to start with, and what is wrong with files of which an earlier version stands in.

    Only files of the folder ``budgets/`` have one. A bad one that was never in force is left out, as in a reload, if
    others were.

    Raises:
        ConfigError: another file is wrong, or nothing is remembered; with every problem of every file.
    """
    try:
        return load(directory, environ), ()
    except ConfigError as error:
        failed = error
    bad = {each.path for each in failed.problems}
    if any(path.parent != directory / FOLDER for path in bad):
        raise failed
    documents = {path: each for path, each in read_documents(directory).items() if path not in bad}
    try:
        texts = remembered(assemble(directory, documents, environ))
        kept = {path: parse_yaml(texts[path.name], path) for path in bad if path.name in texts}
        config = assemble(directory, dict(sorted({**documents, **kept}.items())), environ)
    except ConfigError:
        raise failed from None
    if not texts:
        raise failed
    return replace(config, revision=revision_of(directory)), failed.problems


def team_files(config: Config) -> dict[str, str]:
    """Return the texts of the team files in force, by their names."""
    folder = config.directory / FOLDER
    return {path.name: each.text for path, each in config.documents.items() if path.parent == folder}
