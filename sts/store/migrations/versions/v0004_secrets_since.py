"""Since when a service identity has what it authenticates with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what was changed before nobody knows when."""
    op.add_column("service_identity", sa.Column("secrets_since", sa.BigInteger))
