"""Hold the sizes of the house: a file of at most 300 lines, a function of at most 40.

A function that is better long stands in pyproject.toml, `[tool.house] long_functions`, and has at most 80.
"""

import ast
import sys
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

FILE_LINES = 300
FUNCTION_LINES = 40
NEVER_MORE_LINES = 80
ROOT = Path(__file__).parents[1]
FOLDERS = ("alerter", "tests")


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int, int]]:
    """Yield (dotted name, first line, number of lines) of every function, nested ones too."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}.{node.name}".lstrip(".")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1
        yield from functions(node, name)


def problems(files: dict[str, str], allowed: Collection[str]) -> Iterator[str]:
    """Yield what is too long in the files (path: text), and what is allowed without need."""
    used = set()
    for path, text in files.items():
        lines = len(text.splitlines())
        if lines > FILE_LINES:
            yield f"{path}:1: {lines} lines (at most {FILE_LINES}: make it a folder)"
        for name, first, length in functions(ast.parse(text)):
            key = f"{path}::{name}"
            long_but_allowed = key in allowed and length > FUNCTION_LINES
            if long_but_allowed:
                used.add(key)
            limit = NEVER_MORE_LINES if long_but_allowed else FUNCTION_LINES
            if length > limit:
                yield f"{path}:{first}: {name} has {length} lines (at most {limit})"
    for key in sorted(set(allowed) - used):
        yield f"pyproject.toml: {key} need not stand in long_functions"


def main() -> int:
    """Print every problem; return 1 if there is one."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    allowed = settings["tool"]["house"]["long_functions"]
    paths = sorted(
        path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts
    )
    files = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    found = list(problems(files, allowed))
    print(*found or [f"House: {len(files)} files within their sizes"], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
