"""Define what can go wrong: a code, a text and a remedy for each cause."""
