-- What keeps upkeep cheap however much is stored: bounds on attempts, and indexes for what is asked now and then.

-- A delivery keeps its newest 50 attempts. How many there are in all stands in tallies, since to count them
-- would read their answers too; the oldest beyond the bound are found by when they were made.
CREATE INDEX attempts_at ON attempts (at);

INSERT INTO tallies (kind, state, n) SELECT 'attempt', 'kept', count(*) FROM attempts;

CREATE TRIGGER attempt_added AFTER INSERT ON attempts BEGIN
  UPDATE tallies SET n = n + 1 WHERE kind = 'attempt' AND state = 'kept';
  DELETE FROM attempts WHERE delivery_seq = NEW.delivery_seq AND number <= NEW.number - 50;
END;

CREATE TRIGGER attempt_forgotten AFTER DELETE ON attempts BEGIN
  UPDATE tallies SET n = n - 1 WHERE kind = 'attempt' AND state = 'kept';
END;

-- Results about to die: see the query "expiring". The greatest number stands for "never". What has not ended is
-- pending; said so, the planner does not take the index of states instead.
CREATE INDEX deliveries_expiring ON deliveries (created_at + 3 * urgency)
  WHERE ended_at IS NULL AND urgency < 9223372036854775807;

CREATE INDEX deliveries_overdue ON deliveries (give_up_at) WHERE ended_at IS NULL;
