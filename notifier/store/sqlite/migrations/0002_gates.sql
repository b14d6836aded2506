-- Circuit breakers of endpoints, pauses by users, and replays (core/delivery/endpoint.py).

ALTER TABLE endpoints ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN closed_at INTEGER;
ALTER TABLE endpoints ADD COLUMN reason TEXT;
ALTER TABLE endpoints ADD COLUMN probe_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN paused_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN hold TEXT CHECK (hold IN ('paused', 'gone'));
ALTER TABLE endpoints ADD COLUMN width INTEGER;

CREATE INDEX endpoints_closed ON endpoints (closed_at) WHERE closed_at IS NOT NULL;

ALTER TABLE deliveries ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN is_forced INTEGER NOT NULL DEFAULT 0 CHECK (is_forced IN (0, 1));
ALTER TABLE deliveries ADD COLUMN is_late INTEGER NOT NULL DEFAULT 0 CHECK (is_late IN (0, 1));

CREATE INDEX deliveries_forced ON deliveries (endpoint_seq) WHERE is_forced = 1;
CREATE INDEX deliveries_in_flight ON deliveries (endpoint_seq) WHERE owner IS NOT NULL;

ALTER TABLE attempts ADD COLUMN fault TEXT;
ALTER TABLE attempts ADD COLUMN peer TEXT;
ALTER TABLE attempts ADD COLUMN connect_ms INTEGER;
ALTER TABLE attempts ADD COLUMN first_byte_ms INTEGER;

CREATE TABLE replays (
  seq INTEGER PRIMARY KEY,
  started_at INTEGER NOT NULL,
  since INTEGER,
  until INTEGER,
  state TEXT CHECK (state IN ('pending', 'delivered', 'dead')),
  url TEXT,
  place INTEGER NOT NULL DEFAULT 0,
  last INTEGER NOT NULL
) STRICT;

-- Create the view again, so that it has the new columns of the table.
DROP VIEW delivery_rows;
CREATE VIEW delivery_rows AS
SELECT d.*, e.id AS event_id, e.type, e.result_expires_at, w.id AS watch_id
FROM deliveries d
CROSS JOIN events e ON e.seq = d.event_seq
CROSS JOIN watches w ON w.seq = e.watch_seq;

-- Keep a held endpoint without deliveries, so that its hold is not lost.
DROP TRIGGER delivery_forgotten;
CREATE TRIGGER delivery_forgotten AFTER DELETE ON deliveries BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'delivery' AND state = OLD.state;
  DELETE FROM endpoints WHERE seq = OLD.endpoint_seq AND hold IS NULL
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = OLD.endpoint_seq);
END;
