"""Read the configuration into one typed value. The daemon hands each part the settings that it needs."""
