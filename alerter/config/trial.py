"""A configuration with other budgets than its own: those of a file that nobody has merged yet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from alerter.config.assembly import ALERTER, PRICES, assemble
from alerter.config.model import Config
from alerter.config.problems import ConfigError, Problem
from alerter.config.yaml_files import read_yaml


def load_with_budgets(directory: Path, budgets: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration of a folder with the budgets of another file, or of another folder of such files.

    Raises:
        ConfigError: with every problem of every file, each with its line and column.
    """
    if not directory.is_dir():
        raise ConfigError([Problem(directory, 0, 0, "no such folder: name it by --config DIR or $ALERTER_CONFIG")])
    files = [path for path in (directory / ALERTER, directory / PRICES) if path.exists()]
    return assemble(directory, {path: read_yaml(path) for path in [*files, *_budget_files(budgets)]}, environ)


def _budget_files(budgets: Path) -> list[Path]:
    if budgets.is_file():
        return [budgets]
    found = [
        each for suffix in ("yaml", "yml") for each in budgets.glob(f"*.{suffix}") if not each.name.startswith(".")
    ]
    if not found:
        what = "has no *.yaml file" if budgets.is_dir() else "no such file"
        raise ConfigError([Problem(budgets, 0, 0, f"{what}: name the file of budgets by --budgets FILE")])
    return sorted(found)
