"""Serve the page: HTML, its scripts and its plots, from the data that the API loads."""
