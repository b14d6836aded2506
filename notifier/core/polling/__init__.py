"""The rules of polling: reading a reply, judging it, deciding what follows and when."""
