"""The JSON Schema (draft 2020-12) of a configuration file; its descriptions are what people learn the file from."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sts.core import spans
from sts.core.model import ContentEncryption, KeyType, Kind, ProviderKind, TokenFormat, Use

Schema = dict[str, object]

NAME_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"
SECRET_PATTERN: Final = r"^(env|file):[\s\S]+$"
LONGEST_LIFETIME: Final = 86_400  # seconds
_NAME_RULE: Final = "1 to 64 letters, digits, '.', '_' and '-'."


def _text(description: str, **more: object) -> Schema:
    return {"type": "string", "minLength": 1, "description": description, **more}


def _name(description: str) -> Schema:
    return {"type": "string", "pattern": NAME_PATTERN, "description": f"{description} {_NAME_RULE}"}


def _flag(description: str, default: bool) -> Schema:
    return {"type": "boolean", "default": default, "description": description}


def _choice(description: str, values: Sequence[str], default: str | None = None) -> Schema:
    chosen: Schema = {"enum": [str(value) for value in values], "description": description}
    return chosen if default is None else {**chosen, "default": default}


def _span(description: str, default: str) -> Schema:
    note = f"{description} A whole number and a unit: y (365 days), w, d, h, m, s."
    return {"type": "string", "pattern": spans.PATTERN, "default": default, "description": note}


def _secret(description: str) -> Schema:
    note = f"{description} Written env:NAME or file:PATH, never the secret itself."
    return {"type": "string", "pattern": SECRET_PATTERN, "writeOnly": True, "description": note}


def _list(description: str, items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, "description": description, **more}


def _mapping(description: str, properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


_CERTIFICATE: Final = (
    "A path (relative to this file) of a DER or PEM file with exactly one certificate, or the PEM text itself, or "
    "base64: followed by the base64 of the DER."
)
_METADATA: Final = (
    "Its metadata document: a file, relative to this one or in the folder metadata/, or an https address, which is "
    "then read again every hour. Keys written here override what it says."
)
_INSTANT: Final = {"type": "string", "description": "An instant with its zone, such as 2026-01-01T00:00:00Z."}


def _ring(lifetime: str, key_types: Sequence[KeyType], automatic: bool) -> Schema:
    properties = {
        "automatic": _automatic(automatic),
        "lifetime": _span("How long a new credential is valid.", lifetime),
        "lead": _span("How long before the end of the primary its successor is made and published.", "90d"),
        "turn": _span("How long the successor is public before it becomes primary; shorter than lead.", "45d"),
    }
    if key_types:
        properties["key_type"] = _choice("The key pair that is generated.", key_types, key_types[0])
    return _mapping("How one ring of the namespace rolls over: turn < lead < lifetime.", properties)


def _automatic(default: bool) -> Schema:
    flag = _flag("Whether successors are made and promoted without a person.", default)
    if not default:
        return flag
    text = f"{flag['description']} Where it is not said: if the present primary was made here, not imported."
    return {"type": flag["type"], "description": text}


_RSA: Final = (KeyType.RSA2048, KeyType.RSA3072, KeyType.RSA4096)
_TENANT: Final = (KeyType.RSA3072, KeyType.RSA2048, KeyType.RSA4096, KeyType.P256, KeyType.P384)

_ROLLOVER: Final = _mapping(
    "How the namespace's own credentials roll over. A ring that is absent is left alone.",
    {
        "signing": _ring("2y", tuple(KeyType), automatic=True),
        "decryption": _ring("2y", _RSA, automatic=True),
        "tenant-ca": _ring("2y", _TENANT, automatic=True),
        "signing-keys": _ring("10y", (), automatic=False),
    },
)

_CREDENTIAL: Final = _mapping(
    "A credential with its private or symmetric key. It is created once and never imported again or deleted.",
    {
        "use": _choice("What it is for. Decryption belongs to the namespace.", (Use.SIGNING, Use.DECRYPTION)),
        "kind": _choice("A certificate with its private key, or a 256-bit symmetric key.", tuple(Kind)),
        "pkcs12": _text("Certificates: the path of the PKCS#12 (.pfx, .p12) file, relative to this file."),
        "password": _secret("Certificates: the password of the PKCS#12 file."),
        "value": _secret("Symmetric keys: standard base64 of exactly 32 bytes."),
        "not_before": {**_INSTANT, "description": f"Symmetric keys: the first second. {_INSTANT['description']}"},
        "not_after": {**_INSTANT, "description": f"Symmetric keys: the last second. {_INSTANT['description']}"},
        "primary": _flag("Make it the primary when it is created; later changes are made by command.", False),
    },
    ("use", "kind"),
)

_RELYING_PARTY: Final = _mapping(
    "An application that receives tokens.",
    {
        "name": _name("Its name here and in commands."),
        "metadata": _text(_METADATA, maxLength=2048),
        "realm": _text("The URI it is known by, compared by case: the audience of its tokens.", maxLength=2048),
        "token_format": _choice("The format of its tokens.", tuple(TokenFormat)),
        "signing": _choice("JWT only: what signs. SAML takes certificates, SWT symmetric keys.", tuple(Kind)),
        "token_lifetime": {
            "type": "integer",
            "minimum": 1,
            "maximum": LONGEST_LIFETIME,
            "default": 600,
            "description": f"Seconds that a token is valid, 1 to {LONGEST_LIFETIME} (24 hours).",
        },
        "reply": _list(
            "Where WS-Federation answers go: https addresses, matched exactly; the first is the default.",
            _text("An https address without user name and fragment."),
            uniqueItems=True,
        ),
        "error_url": _text("Where a failed sign-in is reported, https."),
        "encryption": _choice("SAML only: required encrypts every token.", ("none", "required"), "none"),
        "encryption_certificate": _text(f"The RSA certificate its tokens are encrypted to. {_CERTIFICATE}"),
        "encryption_algorithm": _choice(
            "aes256-cbc is read by every stack; aes256-gcm is better where it is understood.",
            tuple(ContentEncryption),
            ContentEncryption.AES256_CBC,
        ),
        "proof_of_possession": _flag("Takes holder-of-key tokens; needs encryption: required.", False),
        "managed": _flag("true: only the namespace's credentials sign; dedicated ones are refused.", False),
        "enabled": _flag("false: it gets no tokens.", True),
        "jwt_type": _choice("JWT only: the typ header.", ("JWT", "at+jwt"), "JWT"),
        "identity_providers": _list(
            "Names of the providers its users may come from.", _name("A name."), uniqueItems=True
        ),
        "rule_groups": _list("Names of the rule groups that make its claims.", _name("A name."), uniqueItems=True),
        "credentials": _list("Dedicated signing credentials, for this relying party alone.", _CREDENTIAL),
    },
    ("name", "token_format"),
)

_IDENTITY_PROVIDER: Final = _mapping(
    "Where people sign in.",
    {
        "name": _name("Its name here, in rules and in commands."),
        "kind": _choice(
            "ws-federation: someone else's service. local: our own form for interactive service identities.",
            tuple(ProviderKind),
            ProviderKind.WS_FEDERATION,
        ),
        "metadata": _text(_METADATA, maxLength=2048),
        "issuer": _text("Its entity ID, exactly as its tokens name it.", maxLength=1024),
        "sign_in_url": _text("Where people are sent to sign in, https."),
        "sign_out_url": _text("Where they are sent to sign out, https."),
        "certificates": _list(
            "The certificates its tokens are signed with.", _text(_CERTIFICATE), minItems=1, maxItems=8
        ),
        "email_domains": _list("Domains whose addresses lead to it.", _text("A domain name."), uniqueItems=True),
        "display_name": _text("What the sign-in page calls it.", maxLength=256),
        "image": _text("Its picture on the sign-in page, https."),
        "enabled": _flag("false: nobody signs in through it.", True),
        "unsolicited": _flag("Accept a sign-in that was not started here.", False),
        "allow_sha1": _flag("Accept its SHA-1 signatures. They are forgeable: only for what cannot be changed.", False),
        "decryption": _choice(
            "The one content encryption accepted from it.", ("none", *reversed(ContentEncryption)), "none"
        ),
    },
    ("name",),
)

_SERVICE_IDENTITY: Final = _mapping(
    "An account that authenticates directly. Secrets that are absent stay as they are.",
    {
        "name": _name("Its name, as it authenticates."),
        "password": _secret("Its password; at least 8 characters are wise."),
        "symmetric_key": _secret("The key it signs its own tokens with: standard base64 of exactly 32 bytes."),
        "certificate": _text(f"The certificate it authenticates with. {_CERTIFICATE}"),
        "enabled": _flag("false: it cannot authenticate.", True),
        "swt_without_expiry": _flag("Accept self-issued SWT without expiry, which can be replayed for ever.", False),
        "interactive": _flag("May sign in at the form of a local identity provider.", False),
        "may_act": _flag("May obtain tokens for others whose tokens it presents (OnBehalfOf, ActAs).", False),
        "recoverable_password": _flag(
            "Keep its password under seal besides its hash, so that WS-Trust clients may send a digest of it.", False
        ),
    },
    ("name",),
)


def _pattern(description: str) -> Schema:
    properties: dict[str, Schema] = {
        "issuer": _text("The name of an identity provider, or LOCAL AUTHORITY for claims made here."),
        "type": _text("The claim type; absent: any."),
        "value": {"type": "string", "description": "The claim value; absent: any."},
    }
    return _mapping(description, properties, ("issuer",))


_RULE: Final = _mapping(
    "Turns claims into claims. Order is of no matter.",
    {
        "input": _pattern("The claim that it acts on."),
        "and": _pattern("A second claim that must be there as well."),
        "output": _mapping(
            "The claim it makes, issued by LOCAL AUTHORITY; what is absent is taken from the input.",
            {"type": _text("The claim type."), "value": {"type": "string", "description": "The claim value."}},
        ),
    },
    ("input",),
)

_RULE_GROUP: Final = _mapping(
    "Rules under a name.",
    {"name": _name("Its name."), "rules": _list("Its rules.", _RULE)},
    ("name", "rules"),
)

_FILE: Final = _mapping(
    "One namespace. A section that is absent is left alone; what a present section no longer names is listed, and "
    "deleted only with --prune. Paths are relative to this file.",
    {
        "namespace": _name("The namespace; it is created if it is missing."),
        "hosts": _list("Host names at whose root this namespace answers.", _text("A host name."), uniqueItems=True),
        "session": _span("How long a sign-in lasts.", "8h"),
        "rollover": _ROLLOVER,
        "credentials": _list("The namespace's own credentials, imported.", _CREDENTIAL),
        "relying_parties": _list("The applications that receive tokens.", _RELYING_PARTY),
        "identity_providers": _list("Where people sign in.", _IDENTITY_PROVIDER),
        "service_identities": _list("Accounts that authenticate directly.", _SERVICE_IDENTITY),
        "rule_groups": _list("How claims become claims.", _RULE_GROUP),
    },
    ("namespace",),
)

SCHEMA: Final[Schema] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Configuration of one namespace",
    **_FILE,
}


def schema_text() -> str:
    """The schema as JSON text."""
    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"
