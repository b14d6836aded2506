"""The store on SQLite: one file, one writer. The only SQL and the only aiosqlite of the package."""
