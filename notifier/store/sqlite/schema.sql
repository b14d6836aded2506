-- The schema as the migrations leave it, in reading order. The daemon does not run this file: it is for the
-- reader, and for the test that compares it with an empty database after all migrations. A new migration
-- changes this file too. Columns stand in the order of the table, so an added one stands last.
--
-- Instants are epoch milliseconds. seq is the order of insertion, id the public name. A flag is 0 or 1.
-- CHECK and UNIQUE hold the invariants; triggers keep derived figures in step with the rows.


-- ---- names that many watches share, stored once: that halves the size of a watch

CREATE TABLE providers (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE api_paths (
  seq INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  watches INTEGER NOT NULL DEFAULT 0    -- how many watches name it; the last one deletes it
) STRICT;


-- ---- watches

-- The queue of polls is in this table: due_at is schedule and lease at once. It is the next poll, and, while
-- owner is set, the end of the owner's lease. So a claim that is never recorded comes due again by itself.
CREATE TABLE watches (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  provider_seq INTEGER NOT NULL REFERENCES providers,
  api_path_seq INTEGER NOT NULL,        -- no REFERENCES: deleting a path would scan all watches
  task_id TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('watching', 'completed', 'failed', 'cancelled', 'expired', 'lost', 'stopped')),
  callbacks TEXT NOT NULL,              -- JSON; what is the default is left out
  metadata TEXT NOT NULL,               -- JSON text, passed through unread
  registered_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  due_at INTEGER,
  owner TEXT,
  round INTEGER NOT NULL DEFAULT 0,     -- counts resumes; each round ends in one event at most
  interval_ms INTEGER NOT NULL DEFAULT 0,  -- the last wait between two polls
  polls INTEGER NOT NULL DEFAULT 0,     -- with owner and round it guards a record: the first outcome wins
  last_polled_at INTEGER,
  upstream_status TEXT,                 -- the provider's word for the state of the task
  task_created_at INTEGER,              -- by the provider's clock
  trouble TEXT,                         -- the code of why polling makes no progress, and since when
  trouble_since INTEGER,
  missing INTEGER,                      -- replies in a row that do not know the task, and since when
  missing_since INTEGER,
  ended_at INTEGER,                     -- when the poller saw the end
  outputs TEXT,                         -- JSON list of URLs; NULL if empty
  result_expires_at INTEGER,
  error TEXT,                           -- JSON
  traceparent TEXT,                     -- the trace of the registration, sent with polls and callbacks
  finished_at INTEGER,                  -- when the task ended by the provider's word; NULL if it gave none
  trouble_params TEXT,                  -- the values of the code, a JSON object; NULL: none
  first_poll_from INTEGER CHECK (first_poll_from IS NULL OR state = 'watching'),
                                        -- the earliest first poll, while learning defers it
  queue INTEGER NOT NULL DEFAULT 0      -- 0: regular, 1: its last poll failed, 2: it is held for its api_path
    CHECK (queue IN (0, 1, 2) AND (queue = 0 OR state = 'watching')),
  failures INTEGER NOT NULL DEFAULT 0,  -- the latest polls in a row that failed
  paced_due_at INTEGER,                 -- due_at without the Retry-After of a failure; NULL: not deferred
  poll_origin TEXT,                     -- scheme and host of the URL to poll; NULL: those of base_url
  UNIQUE (task_id, api_path_seq, provider_seq),
  CHECK ((due_at IS NOT NULL) = (state = 'watching')),
  CHECK ((ended_at IS NULL) = (state = 'watching')),
  CHECK (owner IS NULL OR state = 'watching'),
  CHECK ((trouble IS NULL) = (trouble_since IS NULL)),
  CHECK ((missing IS NULL) = (missing_since IS NULL))
) STRICT;

-- A poll changes due_at and owner, and so only the first two of these indexes. A due watch is held (queue 2)
-- while its api_path is blocked, or has more due watches than may start. Then it leaves the queue of all, in
-- which a claim would pass over it, and waits in the queue of its path.
CREATE INDEX watches_due ON watches (provider_seq, queue, due_at) WHERE state = 'watching';
CREATE INDEX watches_claimed ON watches (owner) WHERE owner IS NOT NULL;
CREATE INDEX watches_deadline ON watches (provider_seq, expires_at) WHERE state = 'watching';
CREATE INDEX watches_ended ON watches (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX watches_listed ON watches (provider_seq, state);
CREATE INDEX watches_troubled ON watches (trouble_since) WHERE trouble_since IS NOT NULL;
CREATE INDEX watches_held ON watches (provider_seq, api_path_seq, failures, due_at) WHERE queue = 2;
CREATE INDEX watches_held_deadline ON watches (provider_seq, api_path_seq, expires_at) WHERE queue = 2;
CREATE INDEX watches_deferred ON watches (provider_seq, api_path_seq) WHERE paced_due_at IS NOT NULL;

-- The circuit breakers that block: of a provider (api_path '') or of one of its api_paths. Names are text,
-- because the row does not depend on a watch. The poller bounds the table: it deletes what it forgets.
CREATE TABLE provider_breakers (
  provider TEXT NOT NULL,
  api_path TEXT NOT NULL,
  failures INTEGER NOT NULL,            -- in a row
  failing_since INTEGER,
  blocked_at INTEGER NOT NULL,
  reason TEXT,                          -- the code of the latest failure
  reason_params TEXT,                   -- the values of the code, a JSON object; NULL: none
  probe_at INTEGER NOT NULL,            -- when the next single probe may go out
  probes INTEGER NOT NULL,              -- since blocked_at
  paused_until INTEGER NOT NULL,        -- by a Retry-After; no probe before it
  PRIMARY KEY (provider, api_path)
) STRICT, WITHOUT ROWID;

-- How long a first poll is deferred: the query "bring_forward" takes those that wait too long.
CREATE INDEX watches_first_poll ON watches (provider_seq, api_path_seq, due_at - registered_at)
  WHERE first_poll_from IS NOT NULL;

-- A completed task whose result is still to be read (core/polling/completion.py). In a table of its own, because
-- the reply in it may have megabytes, and lists of watches do not need it.
CREATE TABLE completions (
  watch_seq INTEGER PRIMARY KEY REFERENCES watches ON DELETE CASCADE,
  body TEXT NOT NULL
) STRICT;

-- The outcome of one round of a watch. Its bytes never change, because every attempt must send the same.
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

-- The payload of an event, where it is too large for the body (callbacks.max_payload); no other event has a
-- row. So each payload is stored once.
CREATE TABLE payloads (
  event_seq INTEGER PRIMARY KEY REFERENCES events ON DELETE CASCADE,
  payload BLOB NOT NULL
) STRICT;

-- The latest polls of a watch and the latest acts of users, for its timeline (core/timeline.py). A slot is
-- overwritten when its number comes again, so that the rows of a watch are bounded.
CREATE TABLE moments (
  watch_seq INTEGER NOT NULL REFERENCES watches ON DELETE CASCADE,
  slot INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (watch_seq, slot)
) STRICT, WITHOUT ROWID;

-- Durations of past tasks of one api_path (core/polling/histogram.py). Provider and path are text, because
-- the row outlives the watches that it was learned from. The query "delete_oldest_durations" bounds the table.
CREATE TABLE habits (
  provider TEXT NOT NULL,
  api_path TEXT NOT NULL,
  finishes INTEGER NOT NULL,            -- how many tasks were counted
  heard_at INTEGER NOT NULL,            -- when the last one ended
  p5_ms INTEGER NOT NULL,
  p50_ms INTEGER NOT NULL,
  p90_ms INTEGER NOT NULL,
  sketch BLOB NOT NULL CHECK (length(sketch) = 256),  -- the packed histogram
  wait_ms INTEGER NOT NULL DEFAULT 0,   -- how long a first poll waits (core/polling/first_poll.py)
  waiting INTEGER NOT NULL DEFAULT 0,   -- tasks that waited since the last one that did not
  PRIMARY KEY (provider, api_path)
) STRICT, WITHOUT ROWID;

CREATE INDEX habits_heard ON habits (heard_at);


-- ---- deliveries

-- The queue of deliveries has three levels: an origin is due when one of its endpoints is, an endpoint when
-- one of its deliveries is. So a claim never walks through a long endpoint or an origin without room.
CREATE TABLE origins (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  due_at INTEGER,                       -- of its endpoints that work; the next three: of the other classes
  is_trusted INTEGER NOT NULL DEFAULT 0 CHECK (is_trusted IN (0, 1)),  -- a new endpoint needs no trial
  recovering_at INTEGER,
  new_at INTEGER,
  hanging_at INTEGER
) STRICT;

CREATE INDEX origins_due ON origins (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX origins_recovering ON origins (recovering_at) WHERE recovering_at IS NOT NULL;
CREATE INDEX origins_new ON origins (new_at) WHERE new_at IS NOT NULL;
CREATE INDEX origins_hanging ON origins (hanging_at) WHERE hanging_at IS NOT NULL;

-- A callback URL without its query, with its circuit breaker (core/delivery/endpoint.py). due_at is that of
-- its earliest waiting delivery, but not before the endpoint was last served: so endpoints take turns.
CREATE TABLE endpoints (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL UNIQUE,
  origin_seq INTEGER NOT NULL REFERENCES origins,
  due_at INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,  -- in a row
  closed_at INTEGER,                    -- since when the breaker blocks; NULL while it allows
  reason TEXT,                          -- the code of the latest failure
  probe_at INTEGER NOT NULL DEFAULT 0,  -- when the next single probe may go out
  probes INTEGER NOT NULL DEFAULT 0,    -- since closed_at
  paused_until INTEGER NOT NULL DEFAULT 0,  -- by a Retry-After; no probe before it
  hold TEXT CHECK (hold IN ('paused', 'gone')),  -- by a user, or by a 410; only a user lifts it
  width INTEGER,                        -- concurrency while it starts slowly; NULL: as much as the origin has
  reason_params TEXT,                   -- the values of the code, a JSON object; NULL: none
  accepted_at INTEGER,                  -- the last 2xx, to a second; 0: an older version had one; NULL: none yet
  is_hanging INTEGER NOT NULL DEFAULT 0 CHECK (is_hanging IN (0, 1)),  -- the last failure took long
  slot_class INTEGER NOT NULL DEFAULT 2 CHECK (slot_class BETWEEN 0 AND 3)
                                        -- 0 proven, 1 recovering, 2 new, 3 hanging (core/delivery/slots.py)
) STRICT;

CREATE INDEX endpoints_due ON endpoints (origin_seq, slot_class, due_at);
CREATE INDEX endpoints_closed ON endpoints (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX endpoints_held ON endpoints (hold) WHERE hold IS NOT NULL;

-- One event for one callback URL. A pending delivery either waits (due_at) or is claimed (owner and
-- leased_until). The indexes of the queue hold only what waits, so that they alone answer what is due.
CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  event_seq INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
  endpoint_seq INTEGER NOT NULL REFERENCES endpoints,
  url TEXT NOT NULL,
  headers TEXT,                         -- JSON; NULL if there are none
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  urgency INTEGER NOT NULL,             -- when the result expires; the greatest number: never
  created_at INTEGER NOT NULL,
  due_at INTEGER,
  give_up_at INTEGER NOT NULL,
  ended_at INTEGER,
  owner TEXT,
  leased_until INTEGER,
  is_interrupted INTEGER NOT NULL DEFAULT 0 CHECK (is_interrupted IN (0, 1)),
                                        -- a claim was never recorded: the receiver may have the callback
  attempts INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  refusals INTEGER NOT NULL DEFAULT 0,  -- attempts that failed because of the event: only these back off
  is_forced INTEGER NOT NULL DEFAULT 0 CHECK (is_forced IN (0, 1)),
                                        -- one attempt at once, whatever the breaker says (redeliver)
  is_late INTEGER NOT NULL DEFAULT 0 CHECK (is_late IN (0, 1)),
                                        -- expired before the first attempt; every attempt says so
  is_replayed INTEGER NOT NULL DEFAULT 0 CHECK (is_replayed IN (0, 1)),  -- a user had it sent again
  UNIQUE (event_seq, url),
  CHECK ((due_at IS NOT NULL) + (leased_until IS NOT NULL) = (state = 'pending')),
  CHECK ((owner IS NULL) = (leased_until IS NULL)),
  CHECK ((ended_at IS NULL) = (state = 'pending'))
) STRICT;

CREATE INDEX deliveries_due ON deliveries (endpoint_seq, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_urgent ON deliveries (endpoint_seq, urgency, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_forced ON deliveries (is_forced, endpoint_seq) WHERE is_forced = 1;
CREATE INDEX deliveries_claimed ON deliveries (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX deliveries_in_flight ON deliveries (endpoint_seq) WHERE owner IS NOT NULL;
CREATE INDEX deliveries_listed ON deliveries (state);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_seq, state);
CREATE INDEX deliveries_refused ON deliveries (refusals) WHERE ended_at IS NULL AND refusals > 0;

-- "ended_at IS NULL" says the same as state = 'pending'; with the latter the planner takes deliveries_listed.
CREATE INDEX deliveries_overdue ON deliveries (give_up_at) WHERE ended_at IS NULL;
CREATE INDEX deliveries_expiring ON deliveries (created_at + 3 * urgency)  -- see the query "count_expiring"
  WHERE ended_at IS NULL AND urgency < 9223372036854775807 AND is_replayed = 0;

-- A change of all waiting deliveries of an endpoint under way, some at a time: those with place < seq <= last.
CREATE TABLE endpoint_sweeps (
  seq INTEGER PRIMARY KEY,
  endpoint_seq INTEGER NOT NULL REFERENCES endpoints ON DELETE CASCADE,
  action TEXT NOT NULL CHECK (action IN ('wake', 'give_up')),
  place INTEGER NOT NULL,
  last INTEGER NOT NULL,
  most_attempts INTEGER NOT NULL,       -- a wake passes over deliveries with more
  UNIQUE (endpoint_seq, action)
) STRICT;

-- One request of a delivery.
CREATE TABLE attempts (
  delivery_seq INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT,
  answer TEXT,                          -- the start of the receiver's reply
  fault TEXT,                           -- the kind of the error
  peer TEXT,                            -- the address that was connected to
  connect_ms INTEGER,                   -- NULL: the connection was reused
  first_byte_ms INTEGER,
  PRIMARY KEY (delivery_seq, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_at ON attempts (at);  -- the query "delete_oldest_attempts" deletes the oldest

-- A bulk change under way: matching rows with place < seq <= last are changed, some at a time (bulk.py).
CREATE TABLE bulk_changes (
  seq INTEGER PRIMARY KEY,
  action TEXT NOT NULL CHECK (action IN ('replay', 'stop', 'resume')),
  started_at INTEGER NOT NULL,
  since INTEGER,
  until INTEGER,
  state TEXT,                           -- of a delivery or of a watch
  url TEXT CHECK (url IS NULL OR action = 'replay'),
  provider TEXT,
  api_path TEXT,
  expire_after_ms INTEGER CHECK (expire_after_ms IS NULL OR action = 'resume'),
                                        -- NULL: that of the provider, at the time of the step
  place INTEGER NOT NULL,
  last INTEGER NOT NULL
) STRICT;


-- ---- figures and marks

-- Number of rows by state. To count a million rows at each status request would take too long.
CREATE TABLE tallies (
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  n INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;

INSERT INTO tallies (kind, state) VALUES
  ('watch', 'watching'), ('watch', 'completed'), ('watch', 'failed'), ('watch', 'cancelled'),
  ('watch', 'expired'), ('watch', 'lost'), ('watch', 'stopped'),
  ('delivery', 'pending'), ('delivery', 'delivered'), ('delivery', 'dead'),
  ('attempt', 'kept');

-- The clock of the daemon: lived_at, anchor, boot, since (maintenance.py).
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;


-- ---- rows with their names

-- CROSS JOIN fixes the order of the loops: first the row that was searched, then its names, whatever the
-- statistics say.
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


-- ---- triggers

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

-- An endpoint goes with its last delivery, but not one that is held: its hold must not be lost.
CREATE TRIGGER delivery_forgotten AFTER DELETE ON deliveries BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'delivery' AND state = OLD.state;
  DELETE FROM endpoints WHERE seq = OLD.endpoint_seq AND hold IS NULL
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = OLD.endpoint_seq);
END;

CREATE TRIGGER endpoint_forgotten AFTER DELETE ON endpoints BEGIN
  DELETE FROM origins WHERE seq = OLD.origin_seq
    AND NOT EXISTS (SELECT 1 FROM endpoints WHERE origin_seq = OLD.origin_seq);
END;

-- The due time of an origin, by class of its endpoints. Only the classes that the endpoint left or joined are read.
CREATE TRIGGER endpoint_moved AFTER UPDATE OF due_at, slot_class ON endpoints
WHEN OLD.due_at IS NOT NEW.due_at OR OLD.slot_class <> NEW.slot_class BEGIN
  UPDATE origins SET
    due_at = iif(0 IN (OLD.slot_class, NEW.slot_class), (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND slot_class = 0 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1), due_at),
    recovering_at = iif(1 IN (OLD.slot_class, NEW.slot_class), (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND slot_class = 1 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1), recovering_at),
    new_at = iif(2 IN (OLD.slot_class, NEW.slot_class), (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND slot_class = 2 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1), new_at),
    hanging_at = iif(3 IN (OLD.slot_class, NEW.slot_class), (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND slot_class = 3 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1), hanging_at)
  WHERE seq = NEW.origin_seq;
END;

-- A delivery keeps its newest 50 attempts. The total of attempts is a tally, because counting them would
-- read the pages of their answers.
CREATE TRIGGER attempt_added AFTER INSERT ON attempts BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'attempt' AND state = 'kept';
  DELETE FROM attempts WHERE delivery_seq = NEW.delivery_seq AND number <= NEW.number - 50;
END;

CREATE TRIGGER attempt_forgotten AFTER DELETE ON attempts BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'attempt' AND state = 'kept';
END;
