"""Formats of values and texts: JSON, URLs, addresses, times, headers, images."""
