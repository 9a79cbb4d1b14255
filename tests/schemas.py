"""The published XML schemas that `make test` installs, read without a network: an import is found by its base name."""

from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from lxml import etree

FOLDERS = (
    Path("/usr/share/xml/opensaml"),
    Path("/usr/share/xml/xmltooling"),
    Path(__file__).parent / "schemas",
    Path(__file__).parent.parent / ".make" / "koap" / "koap" / "api-telematik" / "ext",
)


class _Offline(etree.Resolver):
    """Answers every import from the folders; what is nowhere is an error."""

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]  # stubs lack it
        return self.resolve_filename(  # type: ignore[attr-defined]  # stubs lack it
            str(_file(PurePosixPath(system_url).name)), context
        )


def validate(document: bytes, *names: str) -> None:
    """Hold a document against the schemas of these files together; raises etree.DocumentInvalid."""
    _schema(names).assertValid(etree.fromstring(document))


@lru_cache
def _schema(names: tuple[str, ...]) -> etree.XMLSchema:
    imports = "".join(
        f'<xs:import namespace="{etree.parse(_file(name)).getroot().get("targetNamespace")}" schemaLocation="{name}"/>'
        for name in names
    )
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Offline())
    root = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(root, parser))


def _file(name: str) -> Path:
    found = next((folder / name for folder in FOLDERS if (folder / name).is_file()), None)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
