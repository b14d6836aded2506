-- The first schema. schema.sql has the present one, with the meaning of each table and column.

CREATE TABLE providers (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE api_paths (
  seq INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  watches INTEGER NOT NULL DEFAULT 0 -- how many name it: it goes with the last of them
) STRICT;

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
  error TEXT,
  UNIQUE (task_id, api_path_seq, provider_seq),
  CHECK ((due_at IS NOT NULL) = (state = 'watching')),
  CHECK ((ended_at IS NULL) = (state = 'watching')),
  CHECK (owner IS NULL OR state = 'watching'),
  CHECK ((trouble IS NULL) = (trouble_since IS NULL)),
  CHECK ((missing IS NULL) = (missing_since IS NULL))
) STRICT;

CREATE INDEX watches_due ON watches (provider_seq, due_at) WHERE state = 'watching';
CREATE INDEX watches_claimed ON watches (owner) WHERE owner IS NOT NULL;
CREATE INDEX watches_deadline ON watches (provider_seq, expires_at) WHERE state = 'watching';
CREATE INDEX watches_ended ON watches (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX watches_listed ON watches (provider_seq, state);

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
) STRICT;

CREATE TABLE origins (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  due_at INTEGER
) STRICT;

CREATE INDEX origins_due ON origins (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE endpoints (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL UNIQUE,
  origin_seq INTEGER NOT NULL REFERENCES origins,
  due_at INTEGER
) STRICT;

CREATE INDEX endpoints_due ON endpoints (origin_seq, due_at);

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
  last_error TEXT,
  UNIQUE (event_seq, url),
  CHECK ((due_at IS NOT NULL) + (leased_until IS NOT NULL) = (state = 'pending')),
  CHECK ((owner IS NULL) = (leased_until IS NULL)),
  CHECK ((ended_at IS NULL) = (state = 'pending'))
) STRICT;

CREATE INDEX deliveries_due ON deliveries (endpoint_seq, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_urgent ON deliveries (endpoint_seq, urgency, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_claimed ON deliveries (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX deliveries_listed ON deliveries (state);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_seq, state);

CREATE TABLE attempts (
  delivery_seq INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT,
  answer TEXT,
  PRIMARY KEY (delivery_seq, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE tallies (
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  n INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;

INSERT INTO tallies (kind, state) VALUES
  ('watch', 'watching'), ('watch', 'completed'), ('watch', 'failed'), ('watch', 'cancelled'),
  ('watch', 'expired'), ('watch', 'lost'), ('watch', 'stopped'),
  ('delivery', 'pending'), ('delivery', 'delivered'), ('delivery', 'dead');

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW watch_rows AS
SELECT w.*, p.name AS provider, a.path AS api_path
FROM watches w
CROSS JOIN providers p ON p.seq = w.provider_seq
CROSS JOIN api_paths a ON a.seq = w.api_path_seq;

CREATE VIEW delivery_rows AS
SELECT d.*, e.id AS event_id, e.type, e.result_expires_at, w.id AS watch_id
FROM deliveries d
CROSS JOIN events e ON e.seq = d.event_seq
CROSS JOIN watches w ON w.seq = e.watch_seq;

CREATE TRIGGER watch_added AFTER INSERT ON watches BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'watch' AND state = NEW.state;
  UPDATE api_paths SET watches = watches + 1 WHERE seq = NEW.api_path_seq;
END;

CREATE TRIGGER watch_moved AFTER UPDATE OF state ON watches WHEN OLD.state <> NEW.state BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'watch' AND state = OLD.state;
  UPDATE tallies SET n = n + 1 WHERE kind = 'watch' AND state = NEW.state;
END;

CREATE TRIGGER watch_forgotten AFTER DELETE ON watches BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'watch' AND state = OLD.state;
  UPDATE api_paths SET watches = watches - 1 WHERE seq = OLD.api_path_seq;
  DELETE FROM api_paths WHERE seq = OLD.api_path_seq AND watches = 0;
END;

CREATE TRIGGER delivery_added AFTER INSERT ON deliveries BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'delivery' AND state = NEW.state;
END;

CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'delivery' AND state = OLD.state;
  UPDATE tallies SET n = n + 1 WHERE kind = 'delivery' AND state = NEW.state;
END;

CREATE TRIGGER delivery_forgotten AFTER DELETE ON deliveries BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'delivery' AND state = OLD.state;
  DELETE FROM endpoints WHERE seq = OLD.endpoint_seq
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = OLD.endpoint_seq);
END;

CREATE TRIGGER endpoint_forgotten AFTER DELETE ON endpoints BEGIN
  DELETE FROM origins WHERE seq = OLD.origin_seq
    AND NOT EXISTS (SELECT 1 FROM endpoints WHERE origin_seq = OLD.origin_seq);
END;

CREATE TRIGGER endpoint_moved AFTER UPDATE OF due_at ON endpoints BEGIN
  UPDATE origins SET due_at = (
    SELECT due_at FROM endpoints WHERE origin_seq = NEW.origin_seq AND due_at IS NOT NULL
    ORDER BY due_at LIMIT 1
  ) WHERE seq = NEW.origin_seq;
END;
