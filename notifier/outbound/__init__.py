"""Send the daemon's HTTP requests, with a deadline for each, to allowed addresses only.

``client.py`` is the only file that imports httpx. Network failures are returned as values.
"""
