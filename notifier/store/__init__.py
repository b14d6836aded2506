"""Everything that lasts. ``interface.py`` says what a store does; SQLite is the one there is."""
