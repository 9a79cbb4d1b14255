"""The `credentials:` of a configuration file, of the namespace or of one relying party."""

from collections import Counter
from datetime import datetime

from sts.core.credentials import instant
from sts.core.model import Kind, Origin, Use
from sts.core.spans import parse_instant
from sts.crypto.signer import private_key_bytes
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.model import CredentialImport
from sts.operations.configuration.sources import Sources
from sts.operations.credentials import PURPOSES, Material

_ONLY_FOR: dict[Kind, tuple[str, ...]] = {
    Kind.CERTIFICATE: ("pkcs12", "password"),
    Kind.SYMMETRIC: ("value", "not_before", "not_after"),
}


def read_credentials(owner: Entry, scope: str | None, sources: Sources) -> tuple[CredentialImport, ...]:
    """Read the credentials under a mapping of the file, each with its secret; faults go to the entry.

    `scope` is the name of the relying party they are dedicated to, None for the namespace's own.
    """
    found: list[CredentialImport] = []
    fresh: list[CredentialImport] = []
    for entry in owner.entries("credentials"):
        credential = _read(entry, sources)
        if credential is None:
            continue
        if any(credential.thumbprint_sha256 == other.thumbprint_sha256 for other in found):
            entry.fault("kind", "the same credential stands here twice")
        found.append(credential)
        if not sources.known.holds(scope, credential):
            fresh.append(credential)
            _check_fresh(entry, credential, sources)
    _check_one_primary(owner, fresh)
    return tuple(found)


def _read(entry: Entry, sources: Sources) -> CredentialImport | None:
    use, kind = entry.text("use"), entry.text("kind")
    if use is None or kind is None:
        return None
    for key in _ONLY_FOR[Kind(kind)]:
        if not entry.has(key):
            entry.fault("kind", f"a {kind} credential needs {', '.join(_ONLY_FOR[Kind(kind)])}; {key} is missing")
    for key in _ONLY_FOR[Kind.SYMMETRIC if kind == Kind.CERTIFICATE else Kind.CERTIFICATE]:
        if entry.has(key):
            entry.fault(key, f"{key} has no meaning for a {kind} credential")
    if use == Use.DECRYPTION and kind == Kind.SYMMETRIC:
        entry.fault("use", "symmetric keys sign; they do not decrypt")
    elif use == Use.DECRYPTION and entry.path[0] == "relying_parties":
        entry.fault("use", "decryption certificates belong to the namespace: write it under the top credentials")
    return _certificate(entry, Use(use), sources) if kind == Kind.CERTIFICATE else _symmetric(entry, sources)


def _certificate(entry: Entry, use: Use, sources: Sources) -> CredentialImport | None:
    password = entry.parsed("password", sources.secret)
    pair = None if password is None else entry.parsed("pkcs12", lambda path: sources.key_pair(path, password))
    if pair is None:
        return None
    certificate = pair.certificate
    secret = private_key_bytes(pair.key)
    material = Material(secret, certificate.not_before, certificate.not_after, certificate, Origin.IMPORTED)
    is_primary = entry.flag("primary", default=False)
    return CredentialImport(use, Kind.CERTIFICATE, certificate.thumbprint_sha256, material, is_primary)


def _symmetric(entry: Entry, sources: Sources) -> CredentialImport | None:
    key = entry.parsed("value", sources.symmetric_key)
    not_before = entry.parsed("not_before", parse_instant)
    not_after = entry.parsed("not_after", parse_instant)
    if not_before is not None and not_after is not None and not_after <= not_before:
        entry.fault("not_after", "the key ends before it begins")
    if key is None or not_before is None or not_after is None:
        return None
    material = Material(key, not_before, not_after, origin=Origin.IMPORTED)
    fingerprint = sources.surroundings.fingerprint(key)
    is_primary = entry.flag("primary", default=False)
    return CredentialImport(Use.SIGNING, Kind.SYMMETRIC, fingerprint, material, is_primary)


def _check_fresh(entry: Entry, credential: CredentialImport, sources: Sources) -> None:
    """What binds a credential only when it comes in."""
    now, material = sources.surroundings.now.replace(microsecond=0), credential.material
    certificate = material.certificate
    if certificate is not None:
        purpose = PURPOSES[credential.use]
        for warning in entry.parsed("pkcs12", lambda _: sources.accept(certificate, purpose)) or ():
            entry.warn("pkcs12", warning)
    elif material.not_after < now:
        entry.warn("not_after", "the key has expired already")
    if credential.is_primary and not material.not_before <= now <= material.not_after:
        entry.fault("primary", f"{_why_not(material, now)}, so it cannot become primary now")


def _why_not(material: Material, now: datetime) -> str:
    if material.not_after < now:
        return f"it expired on {instant(material.not_after)}"
    return f"it is not valid before {instant(material.not_before)}"


def _check_one_primary(owner: Entry, fresh: list[CredentialImport]) -> None:
    """Those that were created before do not become primary again, so only new ones can contradict each other."""
    chosen = Counter((c.use, c.kind) for c in fresh if c.is_primary)
    for (use, kind), count in chosen.items():
        if count > 1:
            owner.fault("credentials", f"{count} new {kind} credentials for {use} are primary; only one can be")
