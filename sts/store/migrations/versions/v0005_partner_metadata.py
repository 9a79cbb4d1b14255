"""Where partners' metadata comes from, and when it is read again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns, and create the table of the schedule."""
    for table in ("identity_provider", "relying_party"):
        op.add_column(table, sa.Column("metadata_source", sa.JSON, nullable=True))
    op.create_table(
        "metadata_refresh",
        sa.Column("id", ID, primary_key=True),
        _owner("relying_party"),
        _owner("identity_provider"),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("read_at", sa.BigInteger, nullable=False),
        sa.Column("valid_until", sa.BigInteger, nullable=True),
        sa.Column("failed_at", sa.BigInteger, nullable=True),
        sa.Column("failure", sa.Text, nullable=True),
        sa.UniqueConstraint("relying_party_id", name="uq_metadata_refresh_relying_party_id"),
        sa.UniqueConstraint("identity_provider_id", name="uq_metadata_refresh_identity_provider_id"),
        sa.CheckConstraint("(relying_party_id IS NULL) <> (identity_provider_id IS NULL)", name="one_owner"),
        sa.CheckConstraint("(failed_at IS NULL) = (failure IS NULL)", name="failure"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_metadata_refresh_due_at", "metadata_refresh", ["due_at"])


def _owner(table: str) -> sa.Column[int]:
    return sa.Column(f"{table}_id", ID, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=True)
