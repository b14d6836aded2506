"""Define the rules of polling: read a reply, judge it, decide what follows and when."""
