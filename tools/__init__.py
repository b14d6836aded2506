"""What the project makes its files with; nothing of it is shipped."""
