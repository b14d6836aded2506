"""Store what must survive the process. ``protocol.py`` defines the store, ``sqlite/`` implements it."""
