"""The sign-ins that are over, and who is signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sign_in_use",
        sa.Column("nonce", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index(op.f("ix_sign_in_use_expires_at"), "sign_in_use", ["expires_at"])
    op.create_table(
        "browser_session",
        sa.Column("id", ID, primary_key=True),
        sa.Column("namespace_id", ID, sa.ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_browser_session_namespace_id"), "browser_session", ["namespace_id"])
    op.create_index(op.f("ix_browser_session_expires_at"), "browser_session", ["expires_at"])
    session = sa.ForeignKey("browser_session.id", ondelete="CASCADE")
    op.create_table(
        "browser_session_relying_party",
        sa.Column("browser_session_id", ID, session, primary_key=True),
        sa.Column("reply", sa.Text, primary_key=True),
        sa.Column("realm", sa.Text, nullable=False),
    )
