"""The rings that an operator holds."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "ring_hold",
        sa.Column("namespace_id", ID, sa.ForeignKey("namespace.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("ring", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
