-- Stops and resumes of all watches that match are kept as replays of deliveries are: one table for all of them.
CREATE TABLE bulk_changes (
  seq INTEGER PRIMARY KEY,
  action TEXT NOT NULL CHECK (action IN ('replay', 'stop', 'resume')),
  started_at INTEGER NOT NULL,
  since INTEGER,
  until INTEGER,
  state TEXT,
  url TEXT CHECK (url IS NULL OR action = 'replay'),
  provider TEXT,
  api_path TEXT,
  expire_after_ms INTEGER CHECK (expire_after_ms IS NULL OR action = 'resume'),
  place INTEGER NOT NULL,
  last INTEGER NOT NULL
) STRICT;

INSERT INTO bulk_changes (seq, action, started_at, since, until, state, url, place, last)
SELECT seq, 'replay', started_at, since, until, state, url, place, last FROM replays;

DROP TABLE replays;
