"""Define the rules of delivery: signatures, results of attempts, backoff, the health of an endpoint."""
