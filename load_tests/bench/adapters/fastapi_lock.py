"""FastAPI and ``generate`` behind a lock: one request at a time, as tutorials for Cloud Run do it."""

import threading
from typing import Annotated

import uvicorn
from answering import PORT, Answering
from fastapi import FastAPI, File, Form

app = FastAPI()
model = Answering()
lock = threading.Lock()


@app.post("/answer")
def answer(  # FastAPI runs it in its pool of threads
    image: Annotated[bytes, File()],
    query: Annotated[str, Form()],
    max_tokens: Annotated[int, Form()],
    forced: Annotated[bool, Form()] = False,
) -> dict[str, str | int]:
    request = {"image": image, "query": query, "max_tokens": max_tokens, "forced": forced}
    with lock:
        return model([request])[0]


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
