-- State is kept as a code, and its values beside it as a JSON object; NULL: there are none. What happened stays text.
-- A trouble or reason of before is its text; it is read as the code legacy until the next poll or probe.
ALTER TABLE watches ADD COLUMN trouble_params TEXT;
ALTER TABLE endpoints ADD COLUMN reason_params TEXT;
