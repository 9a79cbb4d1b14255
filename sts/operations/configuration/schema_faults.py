"""What the schema finds wrong with a document, as sentences that teach."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from sts.operations.configuration.document import Plain
from sts.operations.configuration.faults import Faults, Path
from sts.operations.configuration.schema import SCHEMA

_TYPES: Final = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
}


def _whole_pattern(
    validator: Validator, pattern: str, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Every pattern here is anchored; Python's `$`, unlike ECMA-262's, would let a line break follow."""
    if isinstance(instance, str) and re.fullmatch(pattern, instance) is None:
        yield ValidationError("no match")


_extended = validators.extend(Draft202012Validator, {"pattern": _whole_pattern})  # type: ignore[no-untyped-call]  # stub
_VALIDATOR: Final[Validator] = _extended(SCHEMA)


def check_schema(data: Plain, faults: Faults) -> frozenset[Path]:
    """Add a fault for everything the schema refuses; answers the paths of the values that cannot be used."""
    broken: set[Path] = set()
    for error in _VALIDATOR.iter_errors(data):
        path = cast(Path, tuple(error.absolute_path))
        if error.validator == "additionalProperties":
            _unknown_keys(path, error, faults)
        elif error.validator == "required":
            faults.add(path, _missing(error))
        else:
            faults.add(path, _sentence(error))
            broken.add(path)
    return frozenset(broken)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'realm'?` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def _unknown_keys(path: Path, error: ValidationError, faults: Faults) -> None:
    known = _schema(error)["properties"]
    for key in cast(Mapping[str, Any], error.instance):
        if key in known:
            continue
        near = suggestion(key, known) or f"; the keys here are {', '.join(known)}"
        faults.add((*path, key), f"there is no key '{key}' here{near}")


def _missing(error: ValidationError) -> str:
    schema = _schema(error)
    missing = [key for key in schema["required"] if error.message.startswith(repr(key))]
    properties: Mapping[str, Mapping[str, str]] = schema["properties"]
    return "; ".join(f"'{key}' is missing: {properties[key]['description']}" for key in missing)


def _sentence(error: ValidationError) -> str:
    schema = _schema(error)
    description = schema.get("description", "")
    value, limit = error.instance, schema[str(error.validator)]
    if error.validator == "type":
        return _wrong_type(value, limit)
    if schema.get("writeOnly"):
        return f"what stands here is not shown. {description}"
    if error.validator == "enum":
        return f"{_shown(value)} is not one of {', '.join(limit)}{suggestion(str(value), limit)}"
    if error.validator == "uniqueItems":
        return "the same value stands here twice"
    if error.validator in ("minLength", "minItems"):
        return f"this is empty. {description}"
    if error.validator in ("maxLength", "maxItems"):
        return f"this is longer than {limit}"
    return f"{_shown(value)} does not fit. {description}"


def _wrong_type(value: object, wanted: str) -> str:
    if value is None:
        return f"there is no value; {_TYPES[wanted]} belongs here, or leave the key away"
    if wanted == "string" and isinstance(value, bool | int):
        return "text belongs here: put it in quotes"
    return f"{_TYPES[wanted]} belongs here"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], error.schema)
