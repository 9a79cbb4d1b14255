"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create every table."""
    _installation()
    _namespaces()
    _identity_providers()
    _relying_parties()
    _links()
    _service_identities()
    _partner_certificates()
    _credentials()
    _records()
    _what_issuing_writes()


def _id() -> sa.Column[int]:
    return sa.Column("id", ID, primary_key=True)


def _namespace() -> sa.Column[int]:
    return sa.Column("namespace_id", ID, sa.ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False)


def _owner(table: str) -> sa.Column[int]:
    return sa.Column(f"{table}_id", ID, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=True)


def _installation() -> None:
    op.create_table(
        "installation",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def _namespaces() -> None:
    op.create_table(
        "namespace",
        _id(),
        sa.Column("name", ORDERED, nullable=False, unique=True),
        sa.Column("session", sa.BigInteger, nullable=False),
        sa.Column("rollover", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "host",
        sa.Column("name", ORDERED, primary_key=True),
        _namespace(),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index("ix_host_namespace_id", "host", ["namespace_id"])


def _identity_providers() -> None:
    op.create_table(
        "identity_provider",
        _id(),
        _namespace(),
        sa.Column("name", ORDERED, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text),
        sa.Column("sign_in_url", sa.Text),
        sa.Column("sign_out_url", sa.Text),
        sa.Column("email_domains", sa.JSON, nullable=False),
        sa.Column("display_name", sa.Text),
        sa.Column("image", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("unsolicited", sa.Boolean, nullable=False),
        sa.Column("allow_sha1", sa.Boolean, nullable=False),
        sa.Column("decryption", sa.Text),
        sa.UniqueConstraint("namespace_id", "name"),
        sqlite_autoincrement=True,
    )


def _relying_parties() -> None:
    op.create_table(
        "rule_group",
        _id(),
        _namespace(),
        sa.Column("name", ORDERED, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.UniqueConstraint("namespace_id", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "relying_party",
        _id(),
        _namespace(),
        sa.Column("name", ORDERED, nullable=False),
        sa.Column("realm", ORDERED, nullable=False),
        sa.Column("token_format", sa.Text, nullable=False),
        sa.Column("signing", sa.Text, nullable=False),
        sa.Column("token_lifetime", sa.BigInteger, nullable=False),
        sa.Column("reply", sa.JSON, nullable=False),
        sa.Column("error_url", sa.Text),
        sa.Column("encryption_required", sa.Boolean, nullable=False),
        sa.Column("encryption_algorithm", sa.Text, nullable=False),
        sa.Column("proof_of_possession", sa.Boolean, nullable=False),
        sa.Column("managed", sa.Boolean, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("jwt_type", sa.Text, nullable=False),
        sa.UniqueConstraint("namespace_id", "name"),
        sa.UniqueConstraint("namespace_id", "realm"),
        sqlite_autoincrement=True,
    )


def _links() -> None:
    op.create_table(
        "relying_party_rule_group",
        sa.Column("relying_party_id", ID, sa.ForeignKey("relying_party.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("rule_group_id", ID, sa.ForeignKey("rule_group.id"), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index("ix_relying_party_rule_group_rule_group_id", "relying_party_rule_group", ["rule_group_id"])
    op.create_table(
        "relying_party_identity_provider",
        sa.Column("relying_party_id", ID, sa.ForeignKey("relying_party.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("identity_provider_id", ID, sa.ForeignKey("identity_provider.id"), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index(
        "ix_relying_party_identity_provider_identity_provider_id",
        "relying_party_identity_provider",
        ["identity_provider_id"],
    )


def _service_identities() -> None:
    op.create_table(
        "service_identity",
        _id(),
        _namespace(),
        sa.Column("name", ORDERED, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("symmetric_key", sa.LargeBinary),
        sa.Column("symmetric_key_fingerprint", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("swt_without_expiry", sa.Boolean, nullable=False),
        sa.Column("interactive", sa.Boolean, nullable=False),
        sa.UniqueConstraint("namespace_id", "name"),
        sa.CheckConstraint("(symmetric_key IS NULL) = (symmetric_key_fingerprint IS NULL)", name="symmetric_key"),
        sqlite_autoincrement=True,
    )


def _partner_certificates() -> None:
    op.create_table(
        "partner_certificate",
        _id(),
        _owner("relying_party"),
        _owner("identity_provider"),
        _owner("service_identity"),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("thumbprint", sa.Text, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("relying_party_id", "position"),
        sa.UniqueConstraint("identity_provider_id", "position"),
        sa.UniqueConstraint("service_identity_id", "position"),
        sa.CheckConstraint(
            "CASE WHEN relying_party_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN identity_provider_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN service_identity_id IS NULL THEN 0 ELSE 1 END = 1",
            name="one_owner",
        ),
        sqlite_autoincrement=True,
    )


def _credentials() -> None:
    op.create_table(
        "credential",
        _id(),
        sa.Column("namespace_id", ID, sa.ForeignKey("namespace.id", ondelete="CASCADE")),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("use", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("predecessor_id", ID, sa.ForeignKey("credential.id"), unique=True),
        sa.Column("certificate", sa.LargeBinary),
        sa.Column("subject", sa.Text),
        sa.Column("key_type", sa.Text, nullable=False),
        sa.Column("thumbprint", sa.Text, nullable=False),
        sa.Column("thumbprint_sha256", sa.Text, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("published_at", sa.BigInteger),
        sa.Column("primary_from", sa.BigInteger),
        sa.Column("demoted_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.CheckConstraint("deleted_at IS NULL OR sealed IS NULL", name="destroyed"),
        sa.CheckConstraint("(namespace_id IS NULL) = (scope = 'installation')", name="scope"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_credential_namespace_id_scope", "credential", ["namespace_id", "scope"])


def _records() -> None:
    op.create_table(
        "change",
        sa.Column("sequence", ID, primary_key=True),
        sa.Column("namespace_id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_change_namespace_id_kind", "change", ["namespace_id", "kind"])
    op.create_table(
        "audit",
        sa.Column("sequence", ID, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_namespace", "audit", ["namespace"])


def _what_issuing_writes() -> None:
    op.create_table(
        "replay",
        sa.Column("namespace_id", ID, primary_key=True),
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("token_id", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_replay_expires_at", "replay", ["expires_at"])
    op.create_table(
        "failure",
        sa.Column("counter", sa.Text, primary_key=True),
        sa.Column("namespace_id", ID, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("began_at", sa.BigInteger, primary_key=True),
        sa.Column("failures", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_failure_began_at", "failure", ["began_at"])
