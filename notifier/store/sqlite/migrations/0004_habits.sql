-- Learned durations of the tasks of an api_path (core/polling/histogram.py).
CREATE TABLE habits (
  provider TEXT NOT NULL,
  api_path TEXT NOT NULL,
  finishes INTEGER NOT NULL,
  heard_at INTEGER NOT NULL,
  p5_ms INTEGER NOT NULL,
  p50_ms INTEGER NOT NULL,
  p90_ms INTEGER NOT NULL,
  sketch BLOB NOT NULL CHECK (length(sketch) = 256),
  PRIMARY KEY (provider, api_path)
) STRICT, WITHOUT ROWID;

CREATE INDEX habits_heard ON habits (heard_at);
