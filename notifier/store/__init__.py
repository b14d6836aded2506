"""What must survive the process. ``protocol.py`` states what a store promises; SQLite implements it."""
