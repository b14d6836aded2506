-- How many endpoints are held is told every few seconds: from these few, not from all.
CREATE INDEX endpoints_held ON endpoints (hold) WHERE hold IS NOT NULL;
