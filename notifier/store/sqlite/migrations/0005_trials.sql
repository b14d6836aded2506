-- Trials: endpoints that have accepted nothing, or failed last, share a part of the connections.

-- An endpoint that failed last is on trial; one that accepted an event or was never tried is not.
UPDATE endpoints SET width = 1 WHERE failures > 0 OR closed_at IS NOT NULL;

ALTER TABLE endpoints ADD COLUMN is_on_trial INTEGER AS (width IS 1);

ALTER TABLE origins ADD COLUMN trial_at INTEGER;
ALTER TABLE origins ADD COLUMN is_trusted INTEGER NOT NULL DEFAULT 0 CHECK (is_trusted IN (0, 1));

UPDATE origins SET is_trusted = EXISTS (
  SELECT 1 FROM endpoints WHERE origin_seq = origins.seq AND width IS NOT 1
);

CREATE INDEX origins_on_trial ON origins (trial_at) WHERE trial_at IS NOT NULL;

DROP INDEX endpoints_due;
CREATE INDEX endpoints_due ON endpoints (origin_seq, is_on_trial, due_at);

DROP TRIGGER endpoint_moved;
CREATE TRIGGER endpoint_moved AFTER UPDATE OF due_at, width ON endpoints
WHEN OLD.due_at IS NOT NEW.due_at OR OLD.is_on_trial <> NEW.is_on_trial BEGIN
  UPDATE origins SET
    due_at = (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND is_on_trial = 0 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1),
    trial_at = (SELECT due_at FROM endpoints
      WHERE origin_seq = NEW.origin_seq AND is_on_trial = 1 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1)
  WHERE seq = NEW.origin_seq;
END;

-- Set both times for the endpoints that exist.
UPDATE origins SET
  due_at = (SELECT min(due_at) FROM endpoints WHERE origin_seq = origins.seq AND is_on_trial = 0),
  trial_at = (SELECT min(due_at) FROM endpoints WHERE origin_seq = origins.seq AND is_on_trial = 1);
