"""mosec with dynamic batching, as its documentation does it: JSON in and out is its default."""

import base64
from typing import Any

from answering import BATCH, WINDOW_S, Answering
from mosec import Server, Worker


class Model(Worker):
    def __init__(self) -> None:
        self.model = Answering()

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.model([{**request, "image": base64.b64decode(request["image"])} for request in data])


if __name__ == "__main__":
    server = Server()
    server.append_worker(Model, num=1, max_batch_size=BATCH, max_wait_time=round(1e3 * WINDOW_S), timeout=120)
    server.run()
