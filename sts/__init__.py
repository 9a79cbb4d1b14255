"""A security token service."""
