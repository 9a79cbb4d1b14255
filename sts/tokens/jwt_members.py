"""The members of a JSON web token: JSON and its types, read strictly (RFC 7519, 2 and 4.1)."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sts.core.errors import InvalidJwtToken

_LAST_INSTANT: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_MAX_TEXT: Final = 2048  # of iss, sub, jti


def parse(data: bytes) -> dict[str, object]:
    """The members of a JSON object, each of which occurs once; the numbers finite, the text encodable.

    Raises InvalidJwtToken, as all here does.
    """
    try:
        text = data.decode("utf-8")
        value = _JSON.decode(text)
        if "\\u" in text:  # the only way in for a lone surrogate
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _refusal(f"format: not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise _refusal("format: not a JSON object")
    return value


def text(members: Mapping[str, object], name: str) -> str | None:
    """A text that is neither empty nor long, None where there is none."""
    value = members.get(name)
    if name in members and (not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT):
        raise _refusal(f"claim type: {name} is not a short text")
    return value if isinstance(value, str) else None


def audiences(members: Mapping[str, object]) -> tuple[str, ...]:
    """Those of `aud`, a text or several (RFC 7519, 4.1.3)."""
    value = members.get("aud", [])
    named = tuple(value) if isinstance(value, list) else (value,)
    if not all(isinstance(audience, str) for audience in named):
        raise _refusal("claim type: aud is neither a text nor a list of texts")
    return named


def instant(members: Mapping[str, object], name: str) -> datetime | None:
    """A NumericDate (RFC 7519, section 2), its fraction dropped; None where there is none."""
    if name not in members:
        return None
    value = members[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_INSTANT:
        raise _refusal(f"claim type: {name} is not a number of seconds")
    return datetime.fromtimestamp(math.floor(value), UTC)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _refusal("duplicate: a member occurs twice")
    return members


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise _refusal("claim type: a number is not finite")
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite)


def _refusal(detail: str) -> InvalidJwtToken:
    return InvalidJwtToken("JWT token is invalid.", detail=detail)
