-- The latest polls of a watch and the latest acts of users, for its timeline (core/timeline.py).
CREATE TABLE moments (
  watch_seq INTEGER NOT NULL REFERENCES watches ON DELETE CASCADE,
  slot INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (watch_seq, slot)
) STRICT, WITHOUT ROWID;
