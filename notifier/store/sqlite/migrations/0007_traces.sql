-- The trace of a registration (core/formats/traceparent.py). The view watch_rows has every column of the table.
ALTER TABLE watches ADD COLUMN traceparent TEXT;
