"""Who records uses without waiting for the disk, so that those who ended in order are told from the others."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTALLATION = sa.table("installation", sa.column("name", sa.Text), sa.column("value", sa.LargeBinary))
REPLAY = sa.table("replay", sa.column("token_id", sa.Text))


def upgrade() -> None:
    """Create the table; whoever recorded so far never says that it ended in order."""
    table = op.create_table(
        "serving",
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("boot_id", sa.Text, nullable=False),
    )
    connection, is_boot = op.get_bind(), INSTALLATION.c.name == "boot"
    boot_id = connection.scalar(sa.select(INSTALLATION.c.value).where(is_boot))
    if boot_id is not None or connection.scalar(sa.select(REPLAY.c.token_id).limit(1)) is not None:
        known = "unknown" if boot_id is None else bytes(boot_id).decode("ascii")
        connection.execute(sa.insert(table).values(instance="", boot_id=known))
    connection.execute(sa.delete(INSTALLATION).where(is_boot))
