"""What rollover promises at every instant, and every policy that it may be given."""

from datetime import datetime, timedelta

from hypothesis import strategies as st

from sts.core.credentials import metadata_credential, published_signing
from sts.core.errors import IssuingFailed
from sts.core.model import Credential, KeyType, Kind, Namespace, RingPolicy, Use


def assert_promises(namespace: Namespace, now: datetime) -> None:
    """At most one primary per ring; what signs is published, and first; no key is gone before its end."""
    for use in Use:
        for kind in Kind:
            members = [c for c in namespace.credentials if c.use is use and c.kind is kind and c.deleted_at is None]
            assert sum(_is_in_office(c, now) for c in members) <= 1, "at most one primary"
    for credential in namespace.credentials:
        assert credential.deleted_at is None or credential.deleted_at > credential.not_after
    try:
        signer = metadata_credential(namespace, now)
    except IssuingFailed:
        return
    assert published_signing(namespace, now)[0] == signer


def _is_in_office(credential: Credential, now: datetime) -> bool:
    since, until = credential.primary_from, credential.demoted_at
    return since is not None and since <= now and (until is None or until > now)


@st.composite
def policies(draw: st.DrawFn) -> RingPolicy:
    """Any policy of an automatic ring that the configuration accepts, with keys that are quick to make."""
    life = draw(st.integers(min_value=240, max_value=5 * 365 * 86_400))
    lead = draw(st.integers(min_value=max(2, -(-3 * life // 100)), max_value=life - 1))
    turn = draw(st.integers(min_value=1, max_value=lead - 1))
    second = timedelta(seconds=1)
    return RingPolicy(True, life * second, lead * second, turn * second, KeyType.P256)
