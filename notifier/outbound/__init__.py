"""Outgoing HTTP: exchanges with a deadline, a pool of connections, and a check of every address.

The engine uses ``client.py``, which returns network failures as values. Below it: ``transport.py`` (an httpx
transport: pool and repeat), ``connector.py`` (resolve, check, connect), ``connection.py`` (the bytes of one).
"""
