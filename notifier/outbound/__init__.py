"""HTTP out: exchanges that end in time, and which addresses may be connected to.

``client.py`` is the only file that imports httpx. Whatever goes wrong on the network comes back as a value.
"""
