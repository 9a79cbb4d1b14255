"""Layer 2: the database."""
