"""Poll generation APIs and send signed callbacks."""

__version__ = "0.1.0"
