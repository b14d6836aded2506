-- A state is kept as a code, with its values beside it. An older text is read as the code legacy until the
-- next poll or probe replaces it.
ALTER TABLE watches ADD COLUMN trouble_params TEXT;
ALTER TABLE endpoints ADD COLUMN reason_params TEXT;
