"""Where a partner's metadata comes from, as its row keeps it."""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from sts.core.model import MetadataSource, PartnerCertificate
from sts.crypto import certificates


def written(source: MetadataSource | None) -> Mapping[str, object] | None:
    """The source as JSON."""
    if source is None:
        return None
    return {
        "location": source.location,
        "entity_id": source.entity_id,
        "overrides": list(source.overrides),
        "pending": _written(source.pending),
        "pending_reply": list(source.pending_reply),
        "vanished": list(source.vanished),
        "signers": _written(source.signers),
        "dropped": list(source.dropped),
        "signed": source.signed,
        "withheld": list(source.withheld),
    }


def read(value: Mapping[str, Any] | None) -> MetadataSource | None:
    """The source of its JSON."""
    if value is None:
        return None
    return MetadataSource(
        location=value["location"],
        entity_id=value["entity_id"],
        overrides=tuple(value["overrides"]),
        pending=_read(value["pending"]),
        pending_reply=tuple(value["pending_reply"]),
        vanished=tuple(value["vanished"]),
        signers=_read(value["signers"]),
        dropped=tuple(value.get("dropped", ())),  # which rows of older versions do not have, nor what follows
        signed=value.get("signed", False),
        withheld=tuple(value.get("withheld", ())),
    )


def _written(pinned: Sequence[PartnerCertificate]) -> list[str]:
    return [b64encode(certificate.der).decode("ascii") for certificate in pinned]


def _read(texts: Sequence[str]) -> tuple[PartnerCertificate, ...]:
    found = (certificates.parse(b64decode(text)) for text in texts)
    return tuple(PartnerCertificate(c.der, c.subject, c.thumbprint, c.not_before, c.not_after) for c in found)
