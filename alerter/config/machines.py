"""The ``resources`` file: from the id of a machine or cluster to its type, nodes and driver; CSV or YAML."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from alerter.config.fields import Price, Text
from alerter.config.problems import did_you_mean, one_of, shown
from alerter.config.sections import Section, kind_of, validate
from alerter.config.yaml_files import Document, Loc, read_yaml
from alerter.core.machines import Machine
from alerter.core.resources import MAX_NODES, normal_option, normal_region

ID = "id"
_MAX_BYTES = 4_000_000


class MachineModel(Section):
    """One machine or cluster; ``nodes`` are of ``instance_type``, the driver beside them."""

    label: ClassVar[str] = "a machine"
    instance_type: Text
    nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = 1
    driver_type: Text | None = None
    provider: Text | None = None
    region: Text | None = None
    purchase_option: Text | None = None
    dbus: Price | None = None


def machines_path(directory: Path, main: Document | None) -> Path | None:
    """Return the file that ``metering.resources`` of a parsed alerter.yaml names, if it is there."""
    data = main.data if main is not None and not main.broken else None
    for key in ("metering", "resources"):
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, str) or not data.strip():
        return None
    path = directory / Path(data.strip()).expanduser()
    return path if path.is_file() else None


def read_machines_file(path: Path) -> Document:
    """Parse the file: YAML by its ending, else CSV whose first line names the columns; nothing is raised."""
    return read_yaml(path) if path.suffix.lower() in {".yaml", ".yml"} else _read_csv(path)


def machines_of(document: Document) -> dict[str, Machine]:
    """Return the machines of a parsed file by id; what is wrong is added to the document's problems."""
    if document.broken:
        return {}
    if not isinstance(document.data, dict):
        document.report((), f"expected a mapping from ids to machines, got {kind_of(document.data)}")
        return {}
    found = {}
    for name in document.data:
        model = validate(MachineModel, document, (name,))
        if model is not None:
            found[str(name).strip()] = _machine(model, document.path.name)
    return found


def _machine(model: MachineModel, source: str) -> Machine:
    return Machine(
        model.instance_type,
        model.nodes,
        model.driver_type,
        model.provider.lower() if model.provider else None,
        normal_region(model.region) if model.region else None,
        normal_option(model.purchase_option) if model.purchase_option else None,
        model.dbus,
        source,
    )


def _read_csv(path: Path) -> Document:
    """Make a document of a CSV as if it were YAML: ``{id: {column: cell}}``, each cell with its line and column."""
    document = Document(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            return document.give_up(f"is larger than {_MAX_BYTES // 1_000_000} MB")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        return document.give_up(f"can't be read: {error.strerror or error}")
    except UnicodeDecodeError:
        return document.give_up("is not UTF-8: save the file in that encoding")
    reader = csv.reader(lines, strict=True)
    try:
        columns = [each.strip().lower() for each in next(reader, [])]
        if not _is_header(document, columns):
            return document
        for cells in reader:
            if any(each.strip() for each in cells):
                _add_row(document, columns, cells, reader.line_num)
    except csv.Error as error:
        return document.give_up(f"is no CSV: {error}", (reader.line_num, 1))
    return document


def _is_header(document: Document, columns: list[str]) -> bool:
    known = (ID, *MachineModel.yaml_keys())
    for name in columns:
        if name not in known:
            hint = did_you_mean(name, known) or f"; expected {one_of(known)}"
            document.give_up(f"unknown column {shown(name)}{hint}", (1, 1))
    missing = [each for each in (ID, "instance_type") if each not in columns]
    if missing:
        document.give_up(f"the first line must name the columns; missing: {', '.join(missing)}", (1, 1))
    if len(set(columns)) < len(columns):
        document.give_up("a column stands twice", (1, 1))
    return not document.broken


def _add_row(document: Document, columns: list[str], cells: list[str], line: int) -> None:
    row: dict[str, Any] = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()}
    name = row.pop(ID, "")
    if len(cells) > len(columns) or not name:
        why = "has no id" if not name else f"has {len(cells)} cells, the first line {len(columns)}"
        document.give_up(f"the row {why}", (line, 1))
        return
    if name in document.data:
        document.give_up(f"{shown(name)} stands twice", (line, 1))
        return
    loc: Loc = (name,)
    document.values[loc] = document.keys[loc] = (line, 1)
    for column in row:
        document.values[*loc, column] = document.keys[*loc, column] = (line, columns.index(column) + 1)
    nodes = row.get("nodes", "")
    if nodes.isascii() and nodes.isdecimal():
        row["nodes"] = int(nodes[:9])
    document.data[name] = row
