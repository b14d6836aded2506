-- A poll may go to a further host of its provider, and the result of a completed task may need a second GET.
ALTER TABLE watches ADD COLUMN poll_origin TEXT;
CREATE TABLE completions (
  watch_seq INTEGER PRIMARY KEY REFERENCES watches ON DELETE CASCADE,
  body TEXT NOT NULL
) STRICT;
