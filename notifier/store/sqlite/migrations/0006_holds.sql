-- The status counts held endpoints every few seconds; the index holds only those.
CREATE INDEX endpoints_held ON endpoints (hold) WHERE hold IS NOT NULL;
