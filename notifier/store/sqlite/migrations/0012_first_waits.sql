-- How long the first poll of a task waits is kept beside the quantiles, because one early end shortens it.
ALTER TABLE habits ADD COLUMN wait_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE habits ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
UPDATE habits SET wait_ms = p5_ms;

-- The earliest first poll, while learning defers it. A watch from before the upgrade is not brought forward.
ALTER TABLE watches ADD COLUMN first_poll_from INTEGER CHECK (first_poll_from IS NULL OR state = 'watching');
CREATE INDEX watches_first_poll ON watches (provider_seq, api_path_seq, due_at - registered_at)
  WHERE first_poll_from IS NOT NULL;
