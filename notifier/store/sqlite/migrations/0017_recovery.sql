-- When an endpoint last accepted something, to a second. Whether the refusal of an event is the fault of the
-- event is judged by it. For what was accepted before this version no time is known, only that it was.
ALTER TABLE endpoints ADD COLUMN accepted_at INTEGER;

UPDATE endpoints SET accepted_at = 0 WHERE width IS NOT 1
  OR EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = endpoints.seq AND state = 'delivered');


-- What users send again is claimed first, at whatever endpoint it is.
DROP INDEX deliveries_forced;
CREATE INDEX deliveries_forced ON deliveries (is_forced, endpoint_seq) WHERE is_forced = 1;

-- Slots of deliveries are divided by the class of the endpoint: 0 it works, 1 it worked before or fails quickly,
-- 2 it is new, 3 it hangs. Which of those on trial hang is seen at their next attempt.
DROP TRIGGER endpoint_moved;
DROP INDEX endpoints_due;
DROP INDEX origins_on_trial;
ALTER TABLE endpoints DROP COLUMN is_on_trial;
ALTER TABLE origins DROP COLUMN trial_at;

ALTER TABLE endpoints ADD COLUMN is_hanging INTEGER NOT NULL DEFAULT 0 CHECK (is_hanging IN (0, 1));
ALTER TABLE endpoints ADD COLUMN slot_class INTEGER NOT NULL DEFAULT 2 CHECK (slot_class BETWEEN 0 AND 3);
ALTER TABLE origins ADD COLUMN recovering_at INTEGER;
ALTER TABLE origins ADD COLUMN new_at INTEGER;
ALTER TABLE origins ADD COLUMN hanging_at INTEGER;

UPDATE endpoints SET slot_class = CASE
  WHEN width IS NOT 1 THEN 0 WHEN failures > 0 OR accepted_at IS NOT NULL THEN 1 ELSE 2 END;

CREATE INDEX endpoints_due ON endpoints (origin_seq, slot_class, due_at);
CREATE INDEX origins_recovering ON origins (recovering_at) WHERE recovering_at IS NOT NULL;
CREATE INDEX origins_new ON origins (new_at) WHERE new_at IS NOT NULL;
CREATE INDEX origins_hanging ON origins (hanging_at) WHERE hanging_at IS NOT NULL;

UPDATE origins SET
  due_at = (SELECT min(due_at) FROM endpoints WHERE origin_seq = origins.seq AND slot_class = 0),
  recovering_at = (SELECT min(due_at) FROM endpoints WHERE origin_seq = origins.seq AND slot_class = 1),
  new_at = (SELECT min(due_at) FROM endpoints WHERE origin_seq = origins.seq AND slot_class = 2);

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

-- What a user had sent again is no news about how soon results are delivered.
ALTER TABLE deliveries ADD COLUMN is_replayed INTEGER NOT NULL DEFAULT 0 CHECK (is_replayed IN (0, 1));
DROP INDEX deliveries_expiring;
CREATE INDEX deliveries_expiring ON deliveries (created_at + 3 * urgency)
  WHERE ended_at IS NULL AND urgency < 9223372036854775807 AND is_replayed = 0;
