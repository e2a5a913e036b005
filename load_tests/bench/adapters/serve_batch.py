"""``@serve.batch`` and ``generate``, as Ray Serve's guide to dynamic batching does it.

The guide asks for ``max_ongoing_requests`` of at least twice the batch. While a batch runs, its replica's
loop is busy with it, so that what arrives meanwhile is together in the next one."""

from typing import Annotated, Any

import ray
from answering import BATCH, PORT, WINDOW_S, Answering
from fastapi import FastAPI, File, Form
from ray import serve

app = FastAPI()


@serve.deployment(max_ongoing_requests=4 * BATCH, ray_actor_options={"num_cpus": 1})
@serve.ingress(app)
class Server:
    def __init__(self) -> None:
        self.model = Answering()

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WINDOW_S)
    async def batch(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.model(requests)

    @app.post("/answer")
    async def answer(
        self,
        image: Annotated[bytes, File()],
        query: Annotated[str, Form()],
        max_tokens: Annotated[int, Form()],
        forced: Annotated[bool, Form()] = False,
    ) -> dict[str, Any]:
        request = {"image": image, "query": query, "max_tokens": max_tokens, "forced": forced}
        return await self.batch(request)


ray.init(address="local", num_cpus=2, include_dashboard=False)
serve.start(http_options={"host": "127.0.0.1", "port": PORT}, logging_config={"enable_access_log": False})
serve.run(Server.bind(), blocking=True)
