"""The README and the pages of docs/, taken apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<marks>#{1,6}) +(?P<title>.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| (?P<first>`[^|]*) \|(?P<rest>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """A fenced block, and where it begins."""

    place: str
    language: str
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def snippets(language: str) -> list[Snippet]:
    """Return every block of a language."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            if match["language"].strip() == language:
                line = text[: match.start()].count("\n") + 1
                found.append(Snippet(f"{name_of(page)}:{line}", language, match["text"]))
    return found


def prose(text: str) -> str:
    """Return a page without its blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> Iterator[str]:
    """Yield the titles of a page."""
    for match in _HEADING.finditer(prose(text)):
        yield match["title"]


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next one of any level."""
    lines = prose(text).splitlines()
    begin = next(at for at, line in enumerate(lines) if line.lstrip("#").strip() == title and line.startswith("#"))
    rest = lines[begin + 1 :]
    end = next((at for at, line in enumerate(rest) if line.startswith("#")), len(rest))
    return "\n".join(rest[:end])


def rows(text: str) -> dict[str, str]:
    """Return the rows of tables whose first cell is in back-ticks: each key of that cell, and the rest of the row."""
    found = {}
    for match in _ROW.finditer(text):
        for key in re.findall(r"`([^`]+)`", match["first"]):
            found[key] = match["rest"]
    return found


def slug(title: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    kept = "".join(char for char in title.lower() if char.isalnum() or char in " -_")
    return kept.replace(" ", "-")
