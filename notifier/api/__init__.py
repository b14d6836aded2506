"""The local HTTP API: guard, parse, call the store, render. It polls and sends nothing itself."""
