"""LitServe with dynamic batching, as its documentation does it."""

import base64
from typing import Any

import litserve
from answering import BATCH, PORT, WINDOW_S, Answering


class Server(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = Answering()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "image": base64.b64decode(request["image"])}

    def predict(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.model(requests)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    api = Server(max_batch_size=BATCH, batch_timeout=WINDOW_S)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=False)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning")
