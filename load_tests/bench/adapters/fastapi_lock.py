"""FastAPI and ``generate`` behind a lock: one request at a time, as tutorials for Cloud Run do it. FastAPI runs
both routes in its pool of threads."""

import json
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import uvicorn
from answering import PORT, Answering
from fastapi import Depends, FastAPI, File, Form
from fastapi.responses import StreamingResponse

app = FastAPI()
model = Answering()
lock = threading.Lock()


def question(
    image: Annotated[bytes, File()],
    query: Annotated[str, Form()],
    max_tokens: Annotated[int, Form()],
    forced: Annotated[bool, Form()] = False,
) -> dict[str, Any]:
    return {"image": image, "query": query, "max_tokens": max_tokens, "forced": forced}


@app.post("/answer")
def answer(request: Annotated[dict[str, Any], Depends(question)]) -> dict[str, Any]:
    with lock:
        return model([request])[0]


@app.post("/stream")
def stream(request: Annotated[dict[str, Any], Depends(question)]) -> StreamingResponse:
    def events() -> Iterator[str]:
        with lock:
            yield from (f"data: {json.dumps(piece)}\n\n" for piece in model.stream(request))

    return StreamingResponse(events(), media_type="text/event-stream")


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
