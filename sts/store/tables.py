"""The tables. Ids are never used twice; rows that belong to a namespace go with it."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from sts.store.columns import Id, Instant, Ordered, Span

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _namespace() -> Column[int]:
    return Column("namespace_id", Id, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False)


def _owner(table: str) -> Column[int]:
    return Column(f"{table}_id", Id, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=True)


installation = Table(
    "installation",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

serving = Table(
    "serving",
    METADATA,
    Column("instance", Text, primary_key=True),  # '': whoever does not say when it has ended
    Column("boot_id", Text, nullable=False),
)

namespace = Table(
    "namespace",
    METADATA,
    _id(),
    Column("name", Ordered, nullable=False, unique=True),
    Column("session", Span, nullable=False),
    Column("rollover", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

host = Table(
    "host",
    METADATA,
    Column("name", Ordered, primary_key=True),
    _namespace(),
    Column("position", Integer, nullable=False),
    Index(None, "namespace_id"),
)

identity_provider = Table(
    "identity_provider",
    METADATA,
    _id(),
    _namespace(),
    Column("name", Ordered, nullable=False),
    Column("kind", Text, nullable=False),
    Column("issuer", Text),
    Column("sign_in_url", Text),
    Column("sign_out_url", Text),
    Column("email_domains", JSON, nullable=False),
    Column("display_name", Text),
    Column("image", Text),
    Column("enabled", Boolean, nullable=False),
    Column("unsolicited", Boolean, nullable=False),
    Column("allow_sha1", Boolean, nullable=False),
    Column("decryption", Text),
    Column("metadata_source", JSON(none_as_null=True)),  # NULL: described by hand
    UniqueConstraint("namespace_id", "name"),
    sqlite_autoincrement=True,
)

rule_group = Table(
    "rule_group",
    METADATA,
    _id(),
    _namespace(),
    Column("name", Ordered, nullable=False),
    Column("rules", Text, nullable=False),  # JSON
    UniqueConstraint("namespace_id", "name"),
    sqlite_autoincrement=True,
)

relying_party = Table(
    "relying_party",
    METADATA,
    _id(),
    _namespace(),
    Column("name", Ordered, nullable=False),
    Column("realm", Ordered, nullable=False),
    Column("token_format", Text, nullable=False),
    Column("signing", Text, nullable=False),
    Column("token_lifetime", Span, nullable=False),
    Column("reply", JSON, nullable=False),
    Column("error_url", Text),
    Column("encryption_required", Boolean, nullable=False),
    Column("encryption_algorithm", Text, nullable=False),
    Column("proof_of_possession", Boolean, nullable=False),
    Column("managed", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("jwt_type", Text, nullable=False),
    Column("metadata_source", JSON(none_as_null=True)),  # NULL: described by hand
    UniqueConstraint("namespace_id", "name"),
    UniqueConstraint("namespace_id", "realm"),
    sqlite_autoincrement=True,
)

relying_party_rule_group = Table(
    "relying_party_rule_group",
    METADATA,
    Column("relying_party_id", Id, ForeignKey("relying_party.id", ondelete="CASCADE"), primary_key=True),
    Column("rule_group_id", Id, ForeignKey("rule_group.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index(None, "rule_group_id"),
)

relying_party_identity_provider = Table(
    "relying_party_identity_provider",
    METADATA,
    Column("relying_party_id", Id, ForeignKey("relying_party.id", ondelete="CASCADE"), primary_key=True),
    Column("identity_provider_id", Id, ForeignKey("identity_provider.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index(None, "identity_provider_id"),
)

service_identity = Table(
    "service_identity",
    METADATA,
    _id(),
    _namespace(),
    Column("name", Ordered, nullable=False),
    Column("password_hash", Text),
    Column("symmetric_key", LargeBinary),  # sealed
    Column("symmetric_key_fingerprint", Text),
    Column("enabled", Boolean, nullable=False),
    Column("swt_without_expiry", Boolean, nullable=False),
    Column("interactive", Boolean, nullable=False),
    Column("may_act", Boolean, nullable=False),
    Column("recoverable_password", Boolean, nullable=False),  # whether its password is to be kept so
    Column("password", LargeBinary),  # sealed, where it is
    Column("secrets_since", Instant),
    UniqueConstraint("namespace_id", "name"),
    CheckConstraint("(symmetric_key IS NULL) = (symmetric_key_fingerprint IS NULL)", name="symmetric_key"),
    sqlite_autoincrement=True,
)

partner_certificate = Table(
    "partner_certificate",
    METADATA,
    _id(),
    _owner("relying_party"),
    _owner("identity_provider"),
    _owner("service_identity"),
    Column("position", Integer, nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("subject", Text, nullable=False),
    Column("thumbprint", Text, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
    UniqueConstraint("relying_party_id", "position"),
    UniqueConstraint("identity_provider_id", "position"),
    UniqueConstraint("service_identity_id", "position"),
    CheckConstraint(
        "CASE WHEN relying_party_id IS NULL THEN 0 ELSE 1 END"
        " + CASE WHEN identity_provider_id IS NULL THEN 0 ELSE 1 END"
        " + CASE WHEN service_identity_id IS NULL THEN 0 ELSE 1 END = 1",
        name="one_owner",
    ),
    sqlite_autoincrement=True,
)

trusted_ca = Table(
    "trusted_ca",
    METADATA,
    _id(),
    _namespace(),
    Column("name", Ordered, nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("subject", Text, nullable=False),
    Column("thumbprint", Text, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("code_hash", Text),  # of the verification code that waits for its proof
    Column("code_expires_at", Instant),
    Column("verified_at", Instant),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("namespace_id", "name"),
    CheckConstraint("(code_hash IS NULL) = (code_expires_at IS NULL)", name="code"),
    info={"noun": "trusted CA"},
    sqlite_autoincrement=True,
)

credential = Table(
    "credential",
    METADATA,
    _id(),
    Column("namespace_id", Id, ForeignKey("namespace.id", ondelete="CASCADE")),  # NULL: the installation's own
    Column("scope", Text, nullable=False),
    Column("use", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("predecessor_id", Id, ForeignKey("credential.id"), unique=True),
    Column("certificate", LargeBinary),
    Column("subject", Text),
    Column("key_type", Text, nullable=False),
    Column("thumbprint", Text, nullable=False),
    Column("thumbprint_sha256", Text, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("published_at", Instant),
    Column("primary_from", Instant),
    Column("demoted_at", Instant),
    Column("revoked_at", Instant),
    Column("deleted_at", Instant),
    Column("origin", Text, nullable=False),
    Column("sealed", LargeBinary),  # NULL once destroyed
    CheckConstraint("deleted_at IS NULL OR sealed IS NULL", name="destroyed"),
    CheckConstraint("(namespace_id IS NULL) = (scope = 'installation')", name="scope"),
    Index(None, "namespace_id", "scope"),
    sqlite_autoincrement=True,
)

change = Table(
    "change",
    METADATA,
    Column("sequence", Id, primary_key=True),
    Column("namespace_id", Id, nullable=False),  # outlives its namespace; 0: the installation
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Index(None, "namespace_id", "kind"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    METADATA,
    Column("sequence", Id, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON as it was hashed
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "namespace"),
)

replay = Table(
    "replay",
    METADATA,
    Column("namespace_id", Id, primary_key=True),
    Column("issuer", Text, primary_key=True),  # '': our own sign-ins, which are good for one answer
    Column("token_id", Text, primary_key=True),
    Column("expires_at", Instant, nullable=False),  # no index: every use would write it, and only purging look there
    sqlite_with_rowid=False,  # rows stand at their key, not beside it
)

cancelled_token = Table(
    "cancelled_token",
    METADATA,
    Column("namespace_id", Id, primary_key=True),
    Column("token_id", Text, primary_key=True),
    Column("expires_at", Instant, nullable=False),
    Index(None, "expires_at"),
)

failure = Table(
    "failure",
    METADATA,
    Column("counter", Text, primary_key=True),
    Column("namespace_id", Id, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("began_at", Instant, primary_key=True),
    Column("failures", BigInteger, nullable=False),
    Index(None, "began_at"),
)

known_source = Table(
    "known_source",
    METADATA,
    Column("namespace_id", Id, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("source", Text, primary_key=True),  # its network
    Column("expires_at", Instant, nullable=False),
    Index(None, "expires_at"),
)

ring_hold = Table(
    "ring_hold",
    METADATA,
    Column("namespace_id", Id, ForeignKey("namespace.id", ondelete="CASCADE"), primary_key=True),
    Column("ring", Text, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("actor", Text, nullable=False),
)

metadata_refresh = Table(
    "metadata_refresh",
    METADATA,
    _id(),
    Column("relying_party_id", Id, ForeignKey("relying_party.id", ondelete="CASCADE"), unique=True),
    Column("identity_provider_id", Id, ForeignKey("identity_provider.id", ondelete="CASCADE"), unique=True),
    Column("location", Text, nullable=False),  # https
    Column("due_at", Instant, nullable=False),
    Column("read_at", Instant, nullable=False),
    Column("valid_until", Instant),
    Column("failed_at", Instant),  # NULL once it was read again
    Column("failure", Text),
    CheckConstraint("(relying_party_id IS NULL) <> (identity_provider_id IS NULL)", name="one_owner"),
    CheckConstraint("(failed_at IS NULL) = (failure IS NULL)", name="failure"),
    Index(None, "due_at"),
    sqlite_autoincrement=True,
)

browser_session = Table(
    "browser_session",
    METADATA,
    Column("id", Id, primary_key=True, autoincrement=False),  # when it began, and chance
    _namespace(),
    Column("token_hash", Text, nullable=False),
    Column("browser", Text, nullable=False),  # the mark of the browser; looked for when somebody signs out
    Column("provider", Text, nullable=False),
    Column("vouched", Text, nullable=False),  # core.sign_in_steps.Session
    Column("name", Text, nullable=False),  # the principal's
    Column("principal", Text, nullable=False),  # JSON
    Column("relying_parties", Text, nullable=False),  # JSON: those that were known when it began
    Column("expires_at", Instant, nullable=False),  # no index on anything: every sign-in would write it
)

browser_session_relying_party = Table(
    "browser_session_relying_party",
    METADATA,
    Column("browser_session_id", Id, ForeignKey("browser_session.id", ondelete="CASCADE"), primary_key=True),
    Column("reply", Text, primary_key=True),
    Column("realm", Text, nullable=False),
)
