"""Links lead somewhere: files and pictures exist, and so do the headings behind a ``#``."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Page

BY_PATH = {page.path: page for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    lost = [link for link in page.links if not link.startswith("https://") and not _leads(page, link)]
    assert not lost


def _leads(page: Page, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.path.parent / file).resolve() if file else page.path
    if not target.exists() or ROOT not in (target, *target.parents):
        return False
    return not anchor or anchor in BY_PATH[target].anchors


def test_every_page_and_picture_is_shown_somewhere() -> None:
    """From the README on, by links alone."""
    seen: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        if path in BY_PATH:
            links = [
                link.partition("#")[0] for link in BY_PATH[path].links if not link.startswith("https://")
            ]
            left += [(path.parent / link).resolve() for link in links if link]
    assert set((ROOT / "docs").iterdir()) <= seen


def test_links_to_nowhere_are_found() -> None:
    page = BY_PATH[ROOT / "README.md"]
    assert _leads(page, "docs/api.md#errors")
    for lost in ("docs/none.md", "docs/api.md#none", "../outside"):
        assert not _leads(page, lost)
