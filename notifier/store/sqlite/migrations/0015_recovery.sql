-- When an endpoint last accepted something, to a second. Whether the refusal of an event is the fault of the
-- event is judged by it. For what was accepted before this version no time is known, only that it was.
ALTER TABLE endpoints ADD COLUMN accepted_at INTEGER;

UPDATE endpoints SET accepted_at = 0 WHERE width IS NOT 1
  OR EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = endpoints.seq AND state = 'delivered');
