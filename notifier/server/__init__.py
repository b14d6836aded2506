"""Serve HTTP on accepted sockets: limits, access, bodies, problems. It knows no watches and no store."""
