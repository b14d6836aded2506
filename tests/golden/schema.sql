CREATE INDEX attempts_at ON attempts (at)

CREATE INDEX deliveries_claimed ON deliveries (leased_until) WHERE leased_until IS NOT NULL

CREATE INDEX deliveries_due ON deliveries (endpoint_seq, due_at) WHERE due_at IS NOT NULL

CREATE INDEX deliveries_expiring ON deliveries (created_at + 3 * urgency)
  WHERE ended_at IS NULL AND urgency < 9223372036854775807

CREATE INDEX deliveries_forced ON deliveries (endpoint_seq) WHERE is_forced = 1

CREATE INDEX deliveries_in_flight ON deliveries (endpoint_seq) WHERE owner IS NOT NULL

CREATE INDEX deliveries_listed ON deliveries (state)

CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_seq, state)

CREATE INDEX deliveries_overdue ON deliveries (give_up_at) WHERE ended_at IS NULL

CREATE INDEX deliveries_refused ON deliveries (refusals) WHERE ended_at IS NULL AND refusals > 0

CREATE INDEX deliveries_urgent ON deliveries (endpoint_seq, urgency, due_at) WHERE due_at IS NOT NULL

CREATE INDEX endpoints_closed ON endpoints (closed_at) WHERE closed_at IS NOT NULL

CREATE INDEX endpoints_due ON endpoints (origin_seq, is_on_trial, due_at)

CREATE INDEX endpoints_held ON endpoints (hold) WHERE hold IS NOT NULL

CREATE INDEX habits_heard ON habits (heard_at)

CREATE INDEX origins_due ON origins (due_at) WHERE due_at IS NOT NULL

CREATE INDEX origins_on_trial ON origins (trial_at) WHERE trial_at IS NOT NULL

CREATE INDEX watches_claimed ON watches (owner) WHERE owner IS NOT NULL

CREATE INDEX watches_deadline ON watches (provider_seq, expires_at) WHERE state = 'watching'

CREATE INDEX watches_due ON watches (provider_seq, due_at) WHERE state = 'watching'

CREATE INDEX watches_ended ON watches (ended_at) WHERE ended_at IS NOT NULL

CREATE INDEX watches_listed ON watches (provider_seq, state)

CREATE INDEX watches_troubled ON watches (trouble_since) WHERE trouble_since IS NOT NULL

CREATE TABLE api_paths (
  seq INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  watches INTEGER NOT NULL DEFAULT 0 -- how many name it: it goes with the last of them
) STRICT

CREATE TABLE attempts (
  delivery_seq INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT,
  answer TEXT, fault TEXT, peer TEXT, connect_ms INTEGER, first_byte_ms INTEGER,
  PRIMARY KEY (delivery_seq, number)
) STRICT, WITHOUT ROWID

CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  event_seq INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
  endpoint_seq INTEGER NOT NULL REFERENCES endpoints,
  url TEXT NOT NULL,
  headers TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  urgency INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  due_at INTEGER,
  give_up_at INTEGER NOT NULL,
  ended_at INTEGER,
  owner TEXT,
  leased_until INTEGER,
  is_interrupted INTEGER NOT NULL DEFAULT 0 CHECK (is_interrupted IN (0, 1)),
  attempts INTEGER NOT NULL DEFAULT 0,
  last_error TEXT, refusals INTEGER NOT NULL DEFAULT 0, is_forced INTEGER NOT NULL DEFAULT 0 CHECK (is_forced IN (0, 1)), is_late INTEGER NOT NULL DEFAULT 0 CHECK (is_late IN (0, 1)),
  UNIQUE (event_seq, url),
  CHECK ((due_at IS NOT NULL) + (leased_until IS NOT NULL) = (state = 'pending')),
  CHECK ((owner IS NULL) = (leased_until IS NULL)),
  CHECK ((ended_at IS NULL) = (state = 'pending'))
) STRICT

CREATE TABLE endpoints (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL UNIQUE,
  origin_seq INTEGER NOT NULL REFERENCES origins,
  due_at INTEGER
, failures INTEGER NOT NULL DEFAULT 0, closed_at INTEGER, reason TEXT, probe_at INTEGER NOT NULL DEFAULT 0, probes INTEGER NOT NULL DEFAULT 0, paused_until INTEGER NOT NULL DEFAULT 0, hold TEXT CHECK (hold IN ('paused', 'gone')), width INTEGER, is_on_trial INTEGER AS (width IS 1), reason_params TEXT) STRICT

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  watch_seq INTEGER NOT NULL REFERENCES watches ON DELETE CASCADE,
  round INTEGER NOT NULL,
  type TEXT NOT NULL,
  at INTEGER NOT NULL,
  body BLOB NOT NULL,
  result_expires_at INTEGER,
  UNIQUE (watch_seq, round)
) STRICT

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
) STRICT, WITHOUT ROWID

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID

CREATE TABLE moments (
  watch_seq INTEGER NOT NULL REFERENCES watches ON DELETE CASCADE,
  slot INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (watch_seq, slot)
) STRICT, WITHOUT ROWID

CREATE TABLE origins (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  due_at INTEGER
, trial_at INTEGER, is_trusted INTEGER NOT NULL DEFAULT 0 CHECK (is_trusted IN (0, 1))) STRICT

CREATE TABLE providers (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT

CREATE TABLE replays (
  seq INTEGER PRIMARY KEY,
  started_at INTEGER NOT NULL,
  since INTEGER,
  until INTEGER,
  state TEXT CHECK (state IN ('pending', 'delivered', 'dead')),
  url TEXT,
  place INTEGER NOT NULL DEFAULT 0,
  last INTEGER NOT NULL
) STRICT

CREATE TABLE tallies (
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  n INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID

CREATE TABLE watches (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  provider_seq INTEGER NOT NULL REFERENCES providers,
  api_path_seq INTEGER NOT NULL, -- counted in api_paths; REFERENCES would scan all watches when a path goes
  task_id TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('watching', 'completed', 'failed', 'cancelled', 'expired', 'lost', 'stopped')),
  callbacks TEXT NOT NULL,
  metadata TEXT NOT NULL,
  registered_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  due_at INTEGER,
  owner TEXT,
  round INTEGER NOT NULL DEFAULT 0,
  interval_ms INTEGER NOT NULL DEFAULT 0,
  polls INTEGER NOT NULL DEFAULT 0,
  last_polled_at INTEGER,
  upstream_status TEXT,
  task_created_at INTEGER,
  trouble TEXT,
  trouble_since INTEGER,
  missing INTEGER,
  missing_since INTEGER,
  ended_at INTEGER,
  outputs TEXT,
  result_expires_at INTEGER,
  error TEXT, traceparent TEXT, finished_at INTEGER, trouble_params TEXT,
  UNIQUE (task_id, api_path_seq, provider_seq),
  CHECK ((due_at IS NOT NULL) = (state = 'watching')),
  CHECK ((ended_at IS NULL) = (state = 'watching')),
  CHECK (owner IS NULL OR state = 'watching'),
  CHECK ((trouble IS NULL) = (trouble_since IS NULL)),
  CHECK ((missing IS NULL) = (missing_since IS NULL))
) STRICT

CREATE TRIGGER attempt_added AFTER INSERT ON attempts BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'attempt' AND state = 'kept';
  DELETE FROM attempts WHERE delivery_seq = NEW.delivery_seq AND number <= NEW.number - 50;
END

CREATE TRIGGER attempt_forgotten AFTER DELETE ON attempts BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'attempt' AND state = 'kept';
END

CREATE TRIGGER delivery_added AFTER INSERT ON deliveries BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'delivery' AND state = NEW.state;
END

CREATE TRIGGER delivery_forgotten AFTER DELETE ON deliveries BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'delivery' AND state = OLD.state;
  DELETE FROM endpoints WHERE seq = OLD.endpoint_seq AND hold IS NULL
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = OLD.endpoint_seq);
END

CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'delivery' AND state = OLD.state;
  UPDATE tallies SET n = n + 1 WHERE kind = 'delivery' AND state = NEW.state;
END

CREATE TRIGGER endpoint_forgotten AFTER DELETE ON endpoints BEGIN
  DELETE FROM origins WHERE seq = OLD.origin_seq
    AND NOT EXISTS (SELECT 1 FROM endpoints WHERE origin_seq = OLD.origin_seq);
END

CREATE TRIGGER endpoint_moved AFTER UPDATE OF due_at, width ON endpoints
WHEN OLD.due_at IS NOT NEW.due_at OR OLD.is_on_trial <> NEW.is_on_trial BEGIN
  UPDATE origins SET
    due_at = (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND is_on_trial = 0 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1),
    trial_at = (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND is_on_trial = 1 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1)
  WHERE seq = NEW.origin_seq;
END

CREATE TRIGGER watch_added AFTER INSERT ON watches BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'watch' AND state = NEW.state;
  UPDATE api_paths SET watches = watches + 1 WHERE seq = NEW.api_path_seq;
END

CREATE TRIGGER watch_forgotten AFTER DELETE ON watches BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'watch' AND state = OLD.state;
  UPDATE api_paths SET watches = watches - 1 WHERE seq = OLD.api_path_seq;
  DELETE FROM api_paths WHERE seq = OLD.api_path_seq AND watches = 0;
END

CREATE TRIGGER watch_moved AFTER UPDATE OF state ON watches WHEN OLD.state <> NEW.state BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'watch' AND state = OLD.state;
  UPDATE tallies SET n = n + 1 WHERE kind = 'watch' AND state = NEW.state;
END

CREATE VIEW delivery_rows AS
SELECT d.*, e.id AS event_id, e.type, e.result_expires_at, w.id AS watch_id
FROM deliveries d
CROSS JOIN events e ON e.seq = d.event_seq
CROSS JOIN watches w ON w.seq = e.watch_seq

CREATE VIEW watch_rows AS
SELECT w.*, p.name AS provider, a.path AS api_path
FROM watches w
CROSS JOIN providers p ON p.seq = w.provider_seq
CROSS JOIN api_paths a ON a.seq = w.api_path_seq
