-- Keep maintenance cheap however much is stored: limits of attempts, and indexes for its queries.
CREATE INDEX attempts_at ON attempts (at);

INSERT INTO tallies (kind, state, n) SELECT 'attempt', 'kept', count(*) FROM attempts;

CREATE TRIGGER attempt_added AFTER INSERT ON attempts BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'attempt' AND state = 'kept';
  DELETE FROM attempts WHERE delivery_seq = NEW.delivery_seq AND number <= NEW.number - 50;
END;

CREATE TRIGGER attempt_forgotten AFTER DELETE ON attempts BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'attempt' AND state = 'kept';
END;

CREATE INDEX deliveries_expiring ON deliveries (created_at + 3 * urgency)
  WHERE ended_at IS NULL AND urgency < 9223372036854775807;

CREATE INDEX deliveries_overdue ON deliveries (give_up_at) WHERE ended_at IS NULL;
