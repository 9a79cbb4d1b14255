"""Networks from which a name's password was right lately."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table; nothing is known yet."""
    op.create_table(
        "known_source",
        sa.Column("namespace_id", ID, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index(op.f("ix_known_source_expires_at"), "known_source", ["expires_at"])
