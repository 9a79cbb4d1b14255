"""The connection of an open transaction, by a name that operations may pass on without touching SQL."""

from sqlalchemy import Connection

__all__ = ["Connection"]
