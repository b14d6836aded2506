-- How many live watches are in trouble, and how many waiting callbacks have been refused, is told from these few,
-- not from all that live or wait. What has ended is in no trouble.
CREATE INDEX watches_troubled ON watches (trouble_since) WHERE trouble_since IS NOT NULL;
CREATE INDEX deliveries_refused ON deliveries (refusals) WHERE ended_at IS NULL AND refusals > 0;
