"""What a Content-Type says, taken apart in this one place (RFC 9110, 8.3)."""

import re
from typing import Final

FORM: Final = "application/x-www-form-urlencoded"

_PARAMETER: Final = re.compile(r';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*")?([^;]*)', re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)")


def media_type(written: str) -> str:
    """The type and subtype of a Content-Type without its parameters, in lower case, "" if it does not say any."""
    return FORM if written == FORM else written.partition(";")[0].strip().lower()


def parameters(written: str, name: str) -> tuple[str, ...]:
    """The values of the parameters of this name, which is in lower case, as often as they are there.

    A quoted value comes without its quotes and escapes (RFC 9110, 5.6.6); what is neither a token nor wholly quoted
    comes as it stands there, so that it equals nothing that somebody asks for.
    """
    found = _PARAMETER.findall(written)
    return tuple([_value(quoted, rest) for told, quoted, rest in found if told.lower() == name])


def _value(quoted: str, rest: str) -> str:
    rest = rest.rstrip()
    return quoted + rest if rest else _ESCAPED.sub(r"\1", quoted[1:-1])
