"""Sessions under the head of their token's hash, with what vouched for them and the browser in which they began."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """End all sessions and make their table anew."""
    op.drop_table("browser_session_relying_party")
    op.drop_table("browser_session")
    op.create_table(
        "browser_session",
        sa.Column("id", ID, primary_key=True, autoincrement=False),
        sa.Column("namespace_id", ID, sa.ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("browser", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("vouched", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("relying_parties", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index(op.f("ix_browser_session_expires_at"), "browser_session", ["expires_at"])
    session = sa.ForeignKey("browser_session.id", ondelete="CASCADE")
    op.create_table(
        "browser_session_relying_party",
        sa.Column("browser_session_id", ID, session, primary_key=True),
        sa.Column("reply", sa.Text, primary_key=True),
        sa.Column("realm", sa.Text, nullable=False),
    )
