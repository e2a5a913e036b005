"""The smallest Ray Serve application: what a start of anything on Ray Serve costs at least."""

from ray import serve
from starlette.requests import Request


@serve.deployment
class Hello:
    """Says hello."""

    async def __call__(self, request: Request) -> str:
        return "hello"


app = Hello.bind()
