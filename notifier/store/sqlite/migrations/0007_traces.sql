-- The trace that a registration belongs to (core/trace.py); NULL for most. It goes with polls and callbacks.
-- The view watch_rows has all columns of the table, and so this one.
ALTER TABLE watches ADD COLUMN traceparent TEXT;
