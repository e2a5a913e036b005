"""One site a test, ready to answer."""

from collections.abc import AsyncIterator

import pytest

from tests.serve_app.fakes import FakeEmbedding
from tests.serve_app.site import Site, in_process


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The application over fake stages, called in process."""
    async with in_process(embedding=FakeEmbedding()) as ready:
        yield ready
