-- The payload of an event, where it is too large for the body. Older events have theirs in the body, whatever
-- its size, and no row here.
CREATE TABLE payloads (
  event_seq INTEGER PRIMARY KEY REFERENCES events ON DELETE CASCADE,
  payload BLOB NOT NULL
) STRICT;
