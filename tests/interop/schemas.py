"""The OASIS and W3C schemas that Debian ships, read offline."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

FOLDER = Path("/usr/share/xml")
PACKAGES = ("opensaml", "xmltooling", "schema")


class _ByBaseName(etree.Resolver):
    """Finds an imported schema by the last part of its address, and nothing else anywhere."""

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        found = sorted(FOLDER.rglob(system_url.rpartition("/")[2]))
        return self.resolve_filename(str(found[0]), context) if found else self.resolve_empty(context)


@lru_cache
def schema(*names: str) -> etree.XMLSchema:
    """The schema of these files, each by its base name, with what they import; skips where they are not installed."""
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    parser.resolvers.add(_ByBaseName())
    imports = "".join(_import(name) for name in names)
    document = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(document, parser, base_url=FOLDER.as_uri() + "/all.xsd"))


def _import(name: str) -> str:
    found = sorted(FOLDER.rglob(name))
    if not found:
        pytest.skip(f"{name} (opensaml-schemas, xmltooling-schemas) is not installed")
    namespace = etree.parse(found[0]).getroot().get("targetNamespace")
    return f'<xs:import namespace="{namespace}" schemaLocation="{name}"/>'
