"""The claim types that a request asks for, and the ways to ask that are not understood."""

import pytest

from sts.core.errors import BadRequest
from sts.core.trust import (
    RequestedClaims,
)
from sts.protocols.wstrust.names import WS_TRUST_13, Dialect
from tests.protocols.wstrust.rsts import (
    AUTHORIZATION,
    DIALECTS,
    IDENTITY,
    read,
)


@DIALECTS
@pytest.mark.parametrize(
    ("dialect_uri", "prefix"),
    [(IDENTITY, "ic"), (f"{AUTHORIZATION}/authclaims", "auth"), (None, "ic"), (None, "auth")],
)
def test_claims_are_asked_for_by_type_in_either_dialect(dialect: Dialect, dialect_uri: str | None, prefix: str) -> None:
    named = "" if dialect_uri is None else f' Dialect="{dialect_uri}"'
    asked = (
        f'<t:Claims{named}><{prefix}:ClaimType Uri="urn:a"/><{prefix}:ClaimType Uri="urn:b" Optional="true"/>'
        f'<{prefix}:ClaimType Uri="urn:c" Optional="0"><{prefix}:DisplayName>C</{prefix}:DisplayName>'
        f'</{prefix}:ClaimType><{prefix}:ClaimType Uri="urn:a" Optional="1"/></t:Claims>'
    )
    assert read(dialect, asked).claims == RequestedClaims(("urn:a", "urn:c"), ("urn:b",))


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ('<t:Claims Dialect="urn:other"/>', "the Dialect of Claims is none of"),
        (f'<t:Claims Dialect="{IDENTITY}"><auth:ClaimType Uri="urn:a"/></t:Claims>', "no ClaimType"),
        ('<t:Claims><auth:Other Uri="urn:a"/></t:Claims>', "no ClaimType"),
        ("<t:Claims><auth:ClaimType/></t:Claims>", "has no Uri"),
        ('<t:Claims><auth:ClaimType Uri="urn:a" Optional="maybe"/></t:Claims>', "neither true nor false"),
        ('<t:Claims><auth:ClaimType Uri="urn:a"><auth:Value>x</auth:Value></auth:ClaimType></t:Claims>', "not their"),
        ("<t:Claims>everything</t:Claims>", "holds text"),
    ],
)
def test_claims_that_are_not_understood_are_refused(asked: str, fault: str) -> None:
    with pytest.raises(BadRequest, match=fault):
        read(WS_TRUST_13, asked)
