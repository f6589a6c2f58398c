"""The JSON Schemas as files beside the configuration, and the line by which an editor finds them."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = "schema"
"""Within the configuration's folder; nothing in it is read by the daemon."""


def schema_name(file: str) -> str:
    """Return the name of the schema of a file: ``budgets.json`` of ``budgets.yaml``."""
    return f"{Path(file).stem}.json"


def hint(file: str) -> str:
    """Return the comment by which the YAML language server (VS Code, JetBrains, vim, ...) finds a file's schema."""
    return f"# yaml-language-server: $schema={FOLDER}/{schema_name(file)}"


def schema_texts() -> dict[str, str]:
    """Return the text of each schema by the name of its file."""
    from alerter.config.json_schema import schema  # noqa: PLC0415 - only who writes them needs it

    return {schema_name(name): json.dumps(made, indent=2) + "\n" for name, made in schema().items()}
