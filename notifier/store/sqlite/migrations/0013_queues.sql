-- Partial failures stay partial: queues of polls, own failures of a watch, and breakers that survive a restart
-- (core/polling/path_health.py, core/polling/poll_choice.py). Nothing is held back yet by an older version.
ALTER TABLE watches ADD COLUMN queue INTEGER NOT NULL DEFAULT 0
  CHECK (queue IN (0, 1, 2) AND (queue = 0 OR state = 'watching'));
ALTER TABLE watches ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE watches ADD COLUMN paced_due_at INTEGER;

DROP INDEX watches_due;
CREATE INDEX watches_due ON watches (provider_seq, queue, due_at) WHERE state = 'watching';
CREATE INDEX watches_held ON watches (provider_seq, api_path_seq, failures, due_at) WHERE queue = 2;
CREATE INDEX watches_held_deadline ON watches (provider_seq, api_path_seq, expires_at) WHERE queue = 2;
CREATE INDEX watches_deferred ON watches (provider_seq, api_path_seq) WHERE paced_due_at IS NOT NULL;

CREATE TABLE provider_breakers (
  provider TEXT NOT NULL,
  api_path TEXT NOT NULL,
  failures INTEGER NOT NULL,
  failing_since INTEGER,
  blocked_at INTEGER NOT NULL,
  reason TEXT,
  reason_params TEXT,
  probe_at INTEGER NOT NULL,
  probes INTEGER NOT NULL,
  paused_until INTEGER NOT NULL,
  PRIMARY KEY (provider, api_path)
) STRICT, WITHOUT ROWID;
