"""The schema itself."""

import json
from collections.abc import Iterator

from jsonschema import Draft202012Validator

from sts.operations.configuration.schema import SCHEMA, schema_text


def test_it_is_a_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(schema_text()) == SCHEMA


def test_every_key_is_described_and_no_other_key_is_allowed() -> None:
    for path, schema in _mappings(SCHEMA, "file"):
        assert schema["additionalProperties"] is False, path
        for key, value in schema["properties"].items():
            assert value["description"].endswith("."), f"{path}.{key}"


def _mappings(schema: dict, path: str) -> Iterator[tuple[str, dict]]:
    if schema.get("type") == "object":
        yield path, schema
        for key, value in schema["properties"].items():
            yield from _mappings(value, f"{path}.{key}")
    if "items" in schema:
        yield from _mappings(schema["items"], f"{path}[]")
