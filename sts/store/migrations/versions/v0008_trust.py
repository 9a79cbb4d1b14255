"""What WS-Trust needs: tokens that were cancelled, who may act for others, passwords that digests are checked by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns, and create the table."""
    for name in ("may_act", "recoverable_password"):
        op.add_column("service_identity", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("service_identity", sa.Column("password", sa.LargeBinary))
    op.create_table(
        "cancelled_token",
        sa.Column("namespace_id", ID, primary_key=True),
        sa.Column("token_id", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index(op.f("ix_cancelled_token_expires_at"), "cancelled_token", ["expires_at"])
