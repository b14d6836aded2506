"""Serve HTTP on accepted sockets: limits, access, bodies, problems; nothing about watches or the store."""
