"""Who is told of mistakes in one file of budgets, beside whoever operates the daemon."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from alerter.config.receivers import known_receiver
from alerter.config.yaml_files import Document


def read_file_operators(documents: Iterable[Document], known: Collection[str] | None) -> dict[Path, str]:
    """Return the receiver that each file names; an unknown one is added to the document's problems.

    ``known`` is None where receivers can't be read.
    """
    found: dict[Path, str] = {}
    for document in documents:
        name = document.data.get("operators") if not document.broken and isinstance(document.data, dict) else None
        if isinstance(name, str) and known is not None:
            found[document.path] = name.strip()
            known_receiver(document, ("operators",), name.strip(), sorted(known))
    return found
