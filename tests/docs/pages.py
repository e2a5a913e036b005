"""README.md and the pages in ``docs/``, as a CommonMark parser reads them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
OUTPUTS = ("json", "text")  # languages of what a block before them prints


@dataclass(frozen=True)
class Block:
    """A fenced block, and what the page says that it prints."""

    page: str
    line: int  # of its first line of text, from 1
    language: str
    text: str
    output: "Block | None" = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One Markdown file; ``name`` is its path in the repository."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @cached_property
    def tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.path.read_text())

    @cached_property
    def blocks(self) -> list[Block]:
        """All fenced blocks in their order; what one prints belongs to it and is not listed itself."""
        found: list[Block] = []
        printed = False  # the token before is a block that may print something
        for token in self.tokens:
            if token.type == "fence":
                assert token.map is not None
                block = Block(self.name, token.map[0] + 2, token.info.strip(), token.content)
                if printed and block.language in OUTPUTS:
                    last = found.pop()
                    found.append(Block(last.page, last.line, last.language, last.text, output=block))
                else:
                    found.append(block)
            printed = token.type == "fence" and token.info.strip() in ("bash", "python")
        return found

    @cached_property
    def inline(self) -> list[Token]:
        """What stands within lines: texts, code, links, pictures."""
        return [child for token in self.tokens for child in token.children or ()]

    @property
    def code(self) -> list[str]:
        """Code within lines."""
        return [token.content for token in self.inline if token.type == "code_inline"]

    @property
    def links(self) -> list[str]:
        """Where links and pictures lead."""
        places = [token.attrGet("href") or token.attrGet("src") for token in self.inline]
        return [str(place) for place in places if place]

    @property
    def anchors(self) -> set[str]:
        """What may stand behind a ``#``: GitHub's names of the headings."""
        headings = [after for token, after in self._pairs() if token.type == "heading_open"]
        return {_slug("".join(child.content for child in token.children or ())) for token in headings}

    def _pairs(self) -> Iterator[tuple[Token, Token]]:
        return zip(self.tokens, self.tokens[1:], strict=False)


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


PAGES = [Page("README.md"), *(Page(f"docs/{path.name}") for path in sorted((ROOT / "docs").glob("*.md")))]
