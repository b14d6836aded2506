"""Serve the local HTTP API: parse requests, call the store, return JSON."""
