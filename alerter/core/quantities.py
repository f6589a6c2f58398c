"""Quantities as people and Kubernetes write them: ``8``, ``500m``, ``16Gi``, ``2e3``, ``128974848``."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

MICRO_STEP = Decimal("0.000001")
GIB = Decimal(2**30)
SHOWN = 40

_LONGEST = 64
_PATTERN = re.compile(
    r"\+?(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE](?P<exponent>[+-]?[0-9]{1,4})|\s?(?P<suffix>[a-zA-Z]{1,3}))?"
)
_DECIMAL_SUFFIX = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIX = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NOT_LOGGED = frozenset({"", "none", "null"})


class QuantityError(ValueError):
    """Text that is no usable quantity; the message says why, without repeating the text."""


def is_absent(text: str) -> bool:
    """Tell whether text is how clients log "nothing": empty, ``None``, ``null``."""
    return len(text) < SHOWN and text.strip().lower() in _NOT_LOGGED


def shorten(text: str) -> str:
    """Return untrusted text on one printable line of at most 40 characters."""
    short = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in short)


def read_quantity(text: str, *, limit: int) -> Decimal:
    """Read a plain number or a Kubernetes quantity of things that are counted, such as CPUs; ``500m`` is 0.5.

    Raises:
        QuantityError: not a number, negative, above ``limit``, or not zero and below a millionth.
    """
    number, factor = _split(text)
    return _checked(_times(number, factor or Decimal(1)), limit)


def read_gib(text: str, *, bare: Decimal, limit: int) -> Decimal:
    """Read an amount of memory in GiB: a suffix (``16Gi``, ``16G``, also ``16GB``) counts bytes.

    Args:
        text: what was logged.
        bare: bytes that a number without a suffix counts: 1, or `GIB`.
        limit: the largest believable amount, in GiB.

    Raises:
        QuantityError: as for `read_quantity`.
    """
    number, factor = _split(text)
    return _checked(_times(number, bare if factor is None else factor) / GIB, limit)


def _split(text: str) -> tuple[Decimal, Decimal | None]:
    """Return the number and what its suffix multiplies it by; None without a suffix."""
    found = _PATTERN.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise QuantityError("not a number")
    number = _scaled(Decimal(found["number"]), int(found["exponent"] or 0))
    suffix = found["suffix"]
    if suffix is None:
        return number, None
    unit = suffix if suffix in _DECIMAL_SUFFIX else suffix.removesuffix("B")
    if unit in _BINARY_SUFFIX:
        return number, Decimal(2 ** _BINARY_SUFFIX[unit])
    if unit in _DECIMAL_SUFFIX:
        return number, Decimal(1).scaleb(_DECIMAL_SUFFIX[unit])
    raise QuantityError(f"unknown unit {suffix}")


def _scaled(number: Decimal, exponent: int) -> Decimal:
    return number.scaleb(exponent) if number else Decimal(0)


def _times(number: Decimal, factor: Decimal) -> Decimal:
    with localcontext(prec=100):
        return number * factor


def _checked(value: Decimal, limit: int) -> Decimal:
    if value > limit:
        raise QuantityError(f"more than {limit:,}")
    rounded = value.quantize(MICRO_STEP)
    if value and not rounded:
        raise QuantityError("too small to count")
    return rounded.normalize() + 0
