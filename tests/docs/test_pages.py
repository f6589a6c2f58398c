"""Links lead somewhere, pictures are small, the README can be read."""

import re
from pathlib import Path

import pytest

from alerter.slack_requests.grammar import VERBS
from tests.docs.pages import PAGES, ROOT, headings, name_of, prose, slug

_LINK = re.compile(r'\]\((?P<link>[^)\s]+)\)|src="(?P<image>[^"]+)"')


def ids(page: Path) -> str:
    return name_of(page)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = prose(page.read_text(encoding="utf-8"))
    for match in _LINK.finditer(text):
        link = match["link"] or match["image"]
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in {slug(title) for title in headings(target.read_text(encoding="utf-8"))}, link


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [page for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name}" not in readme]


def test_the_readme_can_be_read_at_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 350


def test_every_slash_command_is_listed() -> None:
    readme, slack = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/slack.md"))
    (grammar,) = re.findall(r"^/budget \[(.*?)\]\n```", readme, re.DOTALL | re.MULTILINE)
    assert {each.split()[0] for each in re.split(r"\| (?=[a-z])", grammar)} == set(VERBS)
    assert set(re.findall(r"`/budget ([a-z]+)", slack)) == set(VERBS)


def test_pictures_are_small_and_used() -> None:
    said = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    pictures = list((ROOT / "docs" / "pictures").glob("*.png"))
    assert pictures
    assert not [each.name for each in pictures if each.stat().st_size > 150_000 or each.name not in said]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "decisions"], ids=ids)
def test_a_decision_has_its_three_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"\*\*Context\.\*\*.*\*\*Decision\.\*\*.*\*\*Consequence\.\*\*", text, re.DOTALL)
    assert len(text.splitlines()) <= 60
