"""The process: start and stop order, signals, logs, systemd."""
