-- When a task ended by the provider's clock, to compare with ended_at. The view watch_rows has it too.
ALTER TABLE watches ADD COLUMN finished_at INTEGER;
