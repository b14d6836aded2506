"""A receiver in FastAPI. Install fastapi, uvicorn and notifier (from its repository), then run:
NOTIFIER_SECRET=$(notifier secret show) uvicorn fastapi_receiver:app --port 9001
"""

import os

from fastapi import FastAPI, HTTPException, Request

from notifier.client import BadSignature, verify

app = FastAPI()
secret = os.environ["NOTIFIER_SECRET"]  # `notifier secret show` prints it
handled: set[str] = set()  # in production a table, so that a restart keeps it


@app.post("/hook", status_code=204)
async def hook(request: Request) -> None:
    """Accept one callback; accept a repeat without acting on it."""
    try:
        event = verify(await request.body(), request.headers, secret)
    except BadSignature as error:
        raise HTTPException(401, str(error)) from error
    if event.id not in handled:
        handled.add(event.id)
        print(event.type, event.data.metadata, *event.data.outputs, flush=True)
