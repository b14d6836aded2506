"""The page for people: HTML, its scripts and its plots, made of what the API reads from the store."""
