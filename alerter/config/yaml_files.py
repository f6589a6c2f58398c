"""YAML files whose every value keeps its place.

Plain scalars follow YAML 1.2: only ``true`` and ``false`` are booleans, so ``on``, ``no`` and ``0123`` are text, and
dates are text too. Numbers with a fraction keep their text (`YamlFloat`), so that a message can say how to quote them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from alerter.config.problems import Problem, shown

Loc = tuple[str | int, ...]
"""Where a value is in a document: ``("budgets", 2, "amount")``."""

Mark = tuple[int, int]
"""Line and column, counted from 1."""

_TAG = "tag:yaml.org,2002:"
_MAX_BYTES = 4_000_000
_MAX_VALUES = 200_000
_MAX_DEPTH = 40
_MAX_DIGITS = 40


class YamlFloat(float):
    """A number with a fraction, as it was written: ``text`` keeps every digit."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Make one of a plain scalar.

        Raises:
            ValueError: the text is no number.
        """
        number = super().__new__(cls, re.sub(r"\.(?=inf|nan)", "", text.lower()))
        number.text = text
        return number


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml's parser, where it is there, with YAML 1.2's plain scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


for _name, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", rf"^[-+]?(?:0|[1-9][0-9]{{0,{_MAX_DIGITS - 1}}})$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), list(_first))


@dataclass(slots=True)
class Document:
    """One parsed file.

    Attributes:
        path: as messages show it.
        data: mappings, lists, str, int, bool, None and `YamlFloat`; an empty file is ``{}``.
        values: where each value begins.
        keys: where each mapping's key begins.
        problems: everything found so far; validation adds to it.
        broken: it could not be read or parsed, so ``data`` says nothing.
        text: as it was parsed.
    """

    path: Path
    data: Any = field(default_factory=dict, repr=False)  # what stands in it may be a secret put there by mistake
    values: dict[Loc, Mark] = field(default_factory=lambda: {(): (1, 1)}, repr=False)
    keys: dict[Loc, Mark] = field(default_factory=dict, repr=False)
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False
    text: str = field(default="", repr=False)

    def report(self, loc: Loc, message: str, *, at_key: bool = False) -> None:
        """Add a problem at a value, or at its key; steps that aren't in the document are left out."""
        self.problems.append(Problem(self.path, *self.mark(loc, at_key=at_key), message))

    def give_up(self, message: str, mark: Mark = (0, 0)) -> Document:
        """Add a problem that leaves nothing to validate, and return the document."""
        self.problems.append(Problem(self.path, *mark, message))
        self.broken = True
        return self

    def mark(self, loc: Loc, *, at_key: bool = False) -> Mark:
        """Return the line and column of a value or its key, or of the nearest one that encloses it."""
        found = self.place(loc)
        if at_key and found in self.keys:
            return self.keys[found]
        return self.values[found]

    def place(self, loc: Loc) -> Loc:
        """Return the part of a location that is in the document."""
        found: Loc = ()
        for step in loc:
            if (*found, step) in self.values:
                found = (*found, step)
        return found

    def at(self, loc: Loc) -> Any:  # noqa: ANN401 - it is what stands there
        """Return the value at a location of the document."""
        value = self.data
        for step in loc:
            value = value[step]
        return value

    def where(self, loc: Loc) -> str:
        """Return ``file:line`` of a value, for messages about it elsewhere."""
        return f"{self.path}:{self.mark(loc)[0]}"


def read_yaml(path: Path) -> Document:
    """Read a YAML file; what is wrong with it stands in the document's ``problems``, and nothing is raised."""
    document = Document(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        return document.give_up(f"can't be read: {error.strerror or error}")
    if len(raw) > _MAX_BYTES:
        return document.give_up(f"is larger than {_MAX_BYTES // 1_000_000} MB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = raw.count(b"\n", 0, error.start) + 1, error.start - raw.rfind(b"\n", 0, error.start)
        return document.give_up("is not UTF-8: save the file in that encoding", mark)
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Document:
    """Parse YAML text; ``path`` is for messages. Nothing is raised: see `read_yaml`."""
    document = Document(path, text=text)
    loader = None
    try:
        _check_depth(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            document.data = _Builder(document).value(node, ())
        if document.data is None:
            document.data = {}
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = before.count("\n") + 1, len(before) - before.rfind("\n")
        document.give_up("a control character can't stand in YAML", mark)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        document.give_up(f"is not YAML: {_say(error)}", (at.line + 1, at.column + 1) if at else (0, 0))
    except _TooMuchError as error:
        document.give_up(str(error), error.mark)
    except (yaml.YAMLError, ValueError, RecursionError):
        document.give_up("is not YAML")
    finally:
        if loader is not None:
            loader.dispose()
    return document


class _TooMuchError(Exception):
    """The rest of a document is not worth reading."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.mark = mark


def _check_depth(text: str) -> None:
    """Refuse deep nesting before a tree is made of it: libyaml's composer would overflow the C stack and crash."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _TooMuchError(f"is nested more than {_MAX_DEPTH} deep", _mark(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    """Makes plain values of YAML nodes and notes where each began."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: set[int] = set()
        self.count = 0

    def value(self, node: yaml.Node, loc: Loc) -> Any:  # noqa: ANN401 - it is what stands there
        """Return a node's plain value and note the place of everything in it."""
        self.count += 1
        if self.count > _MAX_VALUES:
            raise _TooMuchError("holds too many values (do aliases repeat each other?)", _mark(node))
        if len(loc) > _MAX_DEPTH:
            raise _TooMuchError(f"is nested more than {_MAX_DEPTH} deep", _mark(node))
        self.document.values[loc] = _mark(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self.open:
            self.document.report(loc, "an alias can't stand inside the value that it repeats")
            return None
        if node.tag not in {_TAG + "seq", _TAG + "map"}:
            self._refuse_tag(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(each, (*loc, index)) for index, each in enumerate(node.value)]
            return dict(self._items(node, loc))
        finally:
            self.open.discard(id(node))

    def _items(self, node: yaml.Node, loc: Loc) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(mark, "a key must be text, not a list or a mapping")
                continue
            key: str = key_node.value
            if key == "<<" and not key_node.style:
                self._problem(mark, "YAML's merge key << is not supported: repeat the keys, or use `defaults:`")
            elif key in seen:
                self._problem(mark, f"duplicate key {shown(key)}: it stands on line {seen[key]} already")
            else:
                seen[key] = mark[0]
                self.document.keys[(*loc, key)] = mark
                yield key, self.value(value_node, (*loc, key))

    def _scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - it is what stands there
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
            case "int" if re.fullmatch(rf"[-+]?[0-9]{{1,{_MAX_DIGITS}}}", text):
                return int(text)
            case "float":
                with contextlib.suppress(ValueError):
                    return YamlFloat(text)
        self._refuse_tag(node)
        return None

    def _refuse_tag(self, node: yaml.Node) -> None:
        tag = shown(node.tag.removeprefix(_TAG))
        self._problem(_mark(node), f"the tag {tag} is not supported: write a plain value")

    def _problem(self, mark: Mark, message: str) -> None:
        self.document.problems.append(Problem(self.document.path, *mark, message))


def _mark(node: yaml.Node | yaml.Event) -> Mark:
    start = node.start_mark
    return (start.line + 1, start.column + 1) if start else (1, 1)


def _say(error: yaml.MarkedYAMLError) -> str:
    """Return the parser's own words, plus the usual cause where there is one."""
    problem = (error.problem or "").strip()
    if "cannot start any token" in problem:
        return "a value can't begin with this character: quote it (or, if it is a tab, indent with spaces)"
    if "mapping values are not allowed" in problem:
        return "a second ': ' in one line: quote the value, or check the indentation"
    if "expected a single document" in (error.context or ""):
        return "a second document ('---') begins here: use one file for each"
    context = f" ({error.context.strip()})" if error.context else ""
    return f"{problem}{context}"
