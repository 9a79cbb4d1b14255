"""One suite for every Directory, KeyRing and ReplayCache: memory, SQLite, PostgreSQL."""
