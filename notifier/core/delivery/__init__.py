"""The rules of delivery: signing, judging an attempt, backoff, the health of an endpoint."""
