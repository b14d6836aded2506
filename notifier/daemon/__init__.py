"""Run the daemon process: start and stop order, signals, logs, systemd, metrics."""
