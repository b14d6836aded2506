"""Everything that lasts. ``protocol.py`` says what a store does; SQLite is the one there is."""
