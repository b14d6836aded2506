-- When a task ended by its provider's own word; NULL where it did not say, and of what ended before this column.
-- With ended_at, which is when we noticed, it tells how late we were. The view watch_rows has it too.
ALTER TABLE watches ADD COLUMN finished_at INTEGER;
