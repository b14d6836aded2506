"""A receiver in Flask. Install flask and standardwebhooks, then run:
NOTIFIER_SECRET=$(notifier secret show) flask --app flask_receiver run --port 9001
"""

import os

from flask import Flask, request
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["NOTIFIER_SECRET"])  # the first line of `notifier secret show`
handled: set[str] = set()  # in production a table, so that a restart keeps it


@app.post("/hook")
def hook() -> tuple[str, int]:
    """Accept one callback; accept a repeat without acting on it."""
    try:
        event = webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError as error:
        return str(error), 401
    if event["id"] not in handled:
        handled.add(event["id"])
        print(event["type"], event["data"]["metadata"], *event["data"]["outputs"], flush=True)
    return "", 204
