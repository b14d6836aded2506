"""The store on SQLite: one file, one writer. All SQL of the package and its only use of aiosqlite."""
