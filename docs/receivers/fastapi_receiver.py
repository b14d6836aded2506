"""A receiver in FastAPI: pip install fastapi uvicorn, and notifier from its repository; then
NOTIFIER_SECRET=$(notifier secret show) uvicorn fastapi_receiver:app --port 9001
"""

import os

from fastapi import FastAPI, HTTPException, Request

from notifier.client import BadSignature, verify

app = FastAPI()
secret = os.environ["NOTIFIER_SECRET"]  # `notifier secret show` prints it
handled: set[str] = set()  # in earnest a table, so that a restart does not forget


@app.post("/hook", status_code=204)
async def hook(request: Request) -> None:
    """Take one callback; a repeat is taken too, and does nothing."""
    try:
        event = verify(await request.body(), request.headers, secret)
    except BadSignature as wrong:
        raise HTTPException(401, str(wrong)) from wrong
    if event.id not in handled:
        handled.add(event.id)
        print(event.type, event.data.metadata, *event.data.outputs, flush=True)
