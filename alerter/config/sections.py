"""Strict pydantic models of YAML mappings; their errors become problems with a place and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from alerter.config.problems import did_you_mean, is_secret_key, looks_secret, one_of, secret_remedy, shown
from alerter.config.yaml_files import Document, Loc, YamlFloat

AnySection = TypeVar("AnySection", bound="Section")


@dataclass(frozen=True, slots=True)
class Reading:
    """What validators may know: the folder of the configuration (for relative paths). Passed as pydantic's context.

    ``whole`` is all that is validated, as it is written. ``models`` notes which model each mapping met, for "did you
    mean".
    """

    directory: Path
    whole: object = None
    models: dict[int, type[Section]] = field(default_factory=dict)


class Section(BaseModel):
    """A mapping of a configuration file: unknown keys are errors, nothing is coerced, a key without value is absent.

    Fields may be made by name in code; a file sees only the aliases. ``label`` is what messages call it;
    a key of ``empty_is_set`` means an empty mapping where it has no value.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )
    label: ClassVar[str] = "this section"
    empty_is_set: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _see(cls, data: object, info: ValidationInfo) -> object:
        if isinstance(data, BaseModel):
            return data
        if not isinstance(data, Mapping):
            raise PydanticCustomError("mapping", "expected a mapping (key: value)")
        if isinstance(info.context, Reading):
            info.context.models[id(data)] = cls
        filled = {key: {} if value is None and key in cls.empty_is_set else value for key, value in data.items()}
        return {key: value for key, value in filled.items() if value is not None}

    @classmethod
    def yaml_keys(cls) -> tuple[str, ...]:
        """Return the keys that a file may write."""
        return tuple(info.alias or name for name, info in cls.model_fields.items())


def validate(model: type[AnySection], document: Document, loc: Loc = ()) -> AnySection | None:
    """Validate the value at ``loc`` of a document; on errors add them to its problems and return None."""
    whole = document.at(loc)
    reading = Reading(document.path.parent, whole)
    try:
        return model.model_validate(whole, context=reading, by_alias=True, by_name=False)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            _report(document, loc, each, reading)
        return None


def kind_of(value: object) -> str:
    """Return what people call a YAML value's type; never the value itself."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return type(value).__name__


def _report(document: Document, base: Loc, error: ErrorDetails, reading: Reading) -> None:
    loc: Loc = (*base, *error["loc"])
    if error["type"] == "too_short" and error["input"]:
        return  # it has entries: what is wrong with them is reported at each
    if error["type"] == "extra_forbidden":
        document.report(loc, _unknown_key(document, loc, reading), at_key=True)
    elif error["type"] == "missing":
        _report_missing(document, loc, reading)
    elif loc[-1:] == ("[key]",):
        document.report(loc[:-1], _message(error), at_key=True)
    else:
        document.report(loc, _message(error))


def _unknown_key(document: Document, loc: Loc, reading: Reading) -> str:
    *_, key = loc
    owner, label = _owner(document, loc, reading)
    known = owner.yaml_keys() if owner else ()
    if is_secret_key(str(key)) or looks_secret(document.at(document.place(loc))):
        return f"{shown(key)}: {secret_remedy(str(key), ' '.join(map(str, loc[:-1])))}"
    hint = did_you_mean(key, known)
    if not hint and known:
        hint = f"; expected {one_of(sorted(known))}"
    return f"unknown key {shown(key)} in {label}{hint}"


def _report_missing(document: Document, loc: Loc, reading: Reading) -> None:
    *parent, key = loc
    _, label = _owner(document, loc, reading)
    if loc in document.values:
        message = f"{shown(key)} has no value (a # begins a comment in YAML: quote a value that holds one)"
        document.report(loc, message, at_key=True)
    else:
        document.report(tuple(parent), f"{label} needs {shown(key)}")


def _owner(document: Document, loc: Loc, reading: Reading) -> tuple[type[Section] | None, str]:
    owner = reading.models.get(id(document.at(document.place(loc[:-1]))))
    return owner, owner.label if owner else "this section"


def _message(error: ErrorDetails) -> str:
    make = _MESSAGES.get(error["type"])
    if make is not None:
        return make(error["input"], error.get("ctx", {}))
    return error["msg"]


def _expected(what: str) -> Callable[[Any, dict[str, Any]], str]:
    return lambda value, _context: f"expected {what}, got {kind_of(value)}"


def _expected_text(value: object, _context: dict[str, Any]) -> str:
    match value:
        case YamlFloat():
            remedy = f': quote it, "{value.text}"'
        case bool():
            remedy = f': quote it, "{str(value).lower()}"'
        case int():
            remedy = f': quote it, "{value}"'
        case _:
            remedy = ""
    return f"expected text, got {kind_of(value)}{remedy}"


def _expected_bool(value: object, _context: dict[str, Any]) -> str:
    words = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    meant = words.get(value.lower()) if isinstance(value, str) else None
    return f"expected true or false, got {kind_of(value)}" + (f": write {meant}" if meant else "")


def _expected_choice(value: object, context: dict[str, Any]) -> str:
    known = [word.strip("' ") for word in str(context.get("expected", "")).replace(" or ", ", ").split(",")]
    return f"expected {one_of(known)}, got {shown(value)}{did_you_mean(value, known)}"


_MESSAGES: dict[str, Callable[[Any, dict[str, Any]], str]] = {
    "string_type": _expected_text,
    "int_type": _expected("a whole number"),
    "float_type": _expected("a number"),
    "bool_type": _expected_bool,
    "tuple_type": _expected("a list"),
    "list_type": _expected("a list"),
    "dict_type": _expected("a mapping (key: value)"),
    "mapping": _expected("a mapping (key: value)"),
    "model_type": _expected("a mapping (key: value)"),
    "literal_error": _expected_choice,
    "value_error": lambda _value, context: str(context["error"]),
    "string_too_short": lambda _value, _context: "must not be empty",
    "string_too_long": lambda _value, context: f"is longer than {context['max_length']} characters",
    "too_short": lambda _value, context: f"needs at least {context['min_length']} entry",
    "too_long": lambda _value, context: f"has more than {context['max_length']} entries",
    "greater_than": lambda _value, context: f"must be greater than {context['gt']}",
    "greater_than_equal": lambda _value, context: f"must be at least {context['ge']}",
    "less_than": lambda _value, context: f"must be less than {context['lt']}",
    "less_than_equal": lambda _value, context: f"must be at most {context['le']}",
}
