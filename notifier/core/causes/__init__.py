"""What goes wrong: one code, one text and one remedy for each cause."""
