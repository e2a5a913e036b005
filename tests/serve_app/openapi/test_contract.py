"""The application keeps to its document, whatever is made of it; the system tests try many times more."""

import asyncio
from pathlib import Path

from tests.serve_app.fakes import FakeEmbedding
from tests.serve_app.site import on_socket
from tests.system.contract import tried


async def test_what_is_sent_and_answered_is_as_documented(tmp_path: Path) -> None:
    async with on_socket(embedding=FakeEmbedding()) as site:
        url = f"http://127.0.0.1:{site.port}"
        found = await asyncio.to_thread(tried, url, tmp_path, examples=20, phases="examples,fuzzing")
    assert found.failures == 0, found.log
    assert found.complete
    assert found.cases >= 100
