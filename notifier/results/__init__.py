"""Fetch results of tasks through the outbound HTTP client. The API serves them."""
