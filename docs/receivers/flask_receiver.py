"""A receiver in Flask, by a library of Standard Webhooks: pip install flask standardwebhooks; then
NOTIFIER_SECRET=$(notifier secret show) flask --app flask_receiver run --port 9001
"""

import os

from flask import Flask, request
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["NOTIFIER_SECRET"])  # `notifier secret show` prints it
handled: set[str] = set()  # in earnest a table, so that a restart does not forget


@app.post("/hook")
def hook() -> tuple[str, int]:
    """Take one callback; a repeat is taken too, and does nothing."""
    try:
        event = webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError as wrong:
        return str(wrong), 401
    if event["id"] not in handled:
        handled.add(event["id"])
        print(event["type"], event["data"]["metadata"], *event["data"]["outputs"], flush=True)
    return "", 204
