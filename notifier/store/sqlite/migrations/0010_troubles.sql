-- The status counts watches in trouble and refused deliveries; each index holds only those.
CREATE INDEX watches_troubled ON watches (trouble_since) WHERE trouble_since IS NOT NULL;
CREATE INDEX deliveries_refused ON deliveries (refusals) WHERE ended_at IS NULL AND refusals > 0;
