-- What the timeline of a watch tells beside the other tables: its last polls, and what users did with it. A slot
-- is written over when its turn comes again (core/account.py), so that no watch keeps more than all its slots.
CREATE TABLE moments (
  watch_seq INTEGER NOT NULL REFERENCES watches ON DELETE CASCADE,
  slot INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (watch_seq, slot)
) STRICT, WITHOUT ROWID;
