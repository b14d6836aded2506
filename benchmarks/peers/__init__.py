"""What one would use instead of notifier, each doing the same job as its own documentation shows it.

Each is a process with the Python of an environment of its own (``.venv-peers``), and imports nothing of ours
but ``job``.
"""
