"""Fewer pages to write for each sign-in: no index on ends, uses at their key, sessions in the order of time."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Drop the indexes; end all sessions, whose tokens do not say their ids."""
    op.execute("DELETE FROM browser_session_relying_party")
    op.execute("DELETE FROM browser_session")
    op.drop_index(op.f("ix_browser_session_expires_at"), "browser_session")
    op.drop_index(op.f("ix_replay_expires_at"), "replay")
    if op.get_bind().dialect.name == "sqlite":
        _stand_at_the_key()


def _stand_at_the_key() -> None:
    op.rename_table("replay", "replay_before")
    op.create_table(
        "replay",
        sa.Column("namespace_id", ID, primary_key=True),
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("token_id", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO replay (namespace_id, issuer, token_id, expires_at) "
        "SELECT namespace_id, issuer, token_id, expires_at FROM replay_before"
    )
    op.drop_table("replay_before")
