"""The CAs of others that a namespace trusts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "trusted_ca",
        sa.Column("id", ID, primary_key=True),
        sa.Column("namespace_id", ID, sa.ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", ORDERED, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("thumbprint", sa.Text, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("code_hash", sa.Text),
        sa.Column("code_expires_at", sa.BigInteger),
        sa.Column("verified_at", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("namespace_id", "name"),
        sa.CheckConstraint("(code_hash IS NULL) = (code_expires_at IS NULL)", name="code"),
        sqlite_autoincrement=True,
    )
