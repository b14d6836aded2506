"""The configuration: one typed value, read once at the top and handed down in the parts that each needs."""
