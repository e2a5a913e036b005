"""BentoML with adaptive batching, as its documentation does it: a request of several fields is one value, and
each client sends a list, here of one, which the server merges with others."""

import base64

import bentoml
from answering import BATCH, Answering
from pydantic import BaseModel


class Question(BaseModel):
    image: str
    query: str
    max_tokens: int
    forced: bool = False


class Answer(BaseModel):
    answer: str
    tokens: int


@bentoml.service(traffic={"timeout": 120, "max_concurrency": 1024}, workers=1)
class Server:
    def __init__(self) -> None:
        self.model = Answering()

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=60_000, route="/answer")
    def answer(self, questions: list[Question]) -> list[Answer]:
        requests = [{**q.model_dump(), "image": base64.b64decode(q.image)} for q in questions]
        return [Answer(**answer) for answer in self.model(requests)]
