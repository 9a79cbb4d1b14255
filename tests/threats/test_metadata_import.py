"""Metadata rows M at the commands: `sts metadata import`, `metadata:` in what `sts apply` reads, and the schedule."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.core.errors import InvalidConfiguration
from sts.operations import metadata_status
from sts.operations.fetching import SYSTEM
from sts.store import tables
from tests import partner_documents as documents
from tests.cli.console import Console
from tests.crypto.identities import certificate, signer
from tests.operations.partners import Partnership, partnership
from tests.partner_documents import Shape, several
from tests.partner_server import PUBLIC, URL, Names, plain
from tests.threats.test_partner_metadata import BOMBS, INSIDE, LOOPBACK

TRUSTED = certificate("rsa2048")
IMPORT = ("metadata", "import")
PROVIDER = ("--namespace", "contoso", "--identity-provider", "--name", "partner")
FILE = "namespace: contoso\nidentity_providers:\n  - {{name: partner, metadata: '{}'}}\n"
NO_PUBLIC = "which is no public address"
ADDRESSES = [
    *(pytest.param(url, "is not https", id=f"M01-{url}") for url in ("http://partner.example/", "http://127.0.0.1/")),
    *(
        pytest.param(url, "https", id=f"M01-{url}")
        for url in ("file:///etc/hostname", "ftp://partner.example/", "gopher://partner.example/")
    ),
    *(pytest.param(f"https://{host}:1/a.xml", NO_PUBLIC, id=f"M02-{host}") for host in LOOPBACK),
    *(pytest.param(f"https://{host}/a.xml", NO_PUBLIC, id=f"M03-{host}") for host in INSIDE),
    *(
        pytest.param(f"https://{host}/a.xml", NO_PUBLIC, id=f"M04-{host}")
        for host in ("[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]")
    ),
]


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partnership]:
    """For tests that change nothing."""
    with partnership(tmp_path_factory.mktemp("still")) as made:
        yield made


def faults(partners: Partnership, location: str) -> str:
    """Apply a file that names a document which must be refused; what is said of it."""
    before = partners.bench.known()
    with pytest.raises(InvalidConfiguration) as refused:
        partners.bench.apply(FILE.format(location))
    assert partners.bench.known() == before
    return str(refused.value)


def import_refused(partners: Partnership, location: object) -> str:
    """Run `sts metadata import` for what must be refused; what is said of it."""
    home = partners.bench.installation.home
    key = str(home / "master.key")
    told = Console(home).refused(
        *IMPORT, location, *PROVIDER, STS_BASE_URL="https://sts.example", STS_MASTER_KEY_FILE=key
    )
    assert "master key" not in told
    assert "Traceback" not in told
    return told


def on_network(partners: Partnership, network: Names | None = None) -> Partnership:
    """The same with another network; this system's own if none is given."""
    wire = SYSTEM if network is None else network.network()
    installation = replace(partners.bench.installation, network=wire)
    return replace(partners, bench=replace(partners.bench, installation=installation))


@pytest.mark.parametrize(("url", "reason"), ADDRESSES)
def test_address_that_is_not_fetched_is_refused_by_the_command(still: Partnership, url: str, reason: str) -> None:
    before = still.bench.known()
    assert reason in import_refused(still, url)
    assert still.bench.known() == before


@pytest.mark.parametrize(("url", "reason"), ADDRESSES)
def test_address_that_is_not_fetched_is_refused_in_a_configuration_file(
    still: Partnership, url: str, reason: str
) -> None:
    assert reason in faults(on_network(still), url)


@pytest.mark.parametrize(("url", "reason"), ADDRESSES)
def test_address_that_got_into_the_database_is_not_fetched_by_the_schedule(
    partners: Partnership, url: str, reason: str
) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    with partners.bench.installation.database.recording() as connection:
        stored = connection.scalars(sa.select(tables.identity_provider.c.metadata_source)).one()
        connection.execute(sa.update(tables.identity_provider).values(metadata_source={**stored, "location": url}))
        connection.execute(sa.update(tables.metadata_refresh).values(location=url))
    (refreshed,) = on_network(partners).refresh()
    assert reason in (refreshed.failure or "")
    assert partners.trusted() == (TRUSTED,)


def test_m03_name_that_means_an_address_inside_is_not_connected_to(partners: Partnership) -> None:
    names = Names(partners.server.port, answers=[["10.0.0.7"]])
    assert NO_PUBLIC in on_network(partners, names).refused(location=URL)
    assert NO_PUBLIC in faults(on_network(partners, names), URL)
    partners.publish(documents.adfs())
    partners.bring()
    (refreshed,) = on_network(partners, names).refresh()
    assert NO_PUBLIC in (refreshed.failure or "")
    assert names.connected == []


def test_m06_every_way_in_resolves_a_name_once_and_connects_to_that(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    ways: list[Callable[[Partnership], object]] = [
        lambda each: each.bring(),
        lambda each: each.refresh(),
        lambda each: each.bench.apply(FILE.format(URL)),
    ]
    for way in ways:
        names = Names(partners.server.port, answers=[[PUBLIC], ["127.0.0.1"]])
        way(on_network(partners, names))
        assert set(names.connected) <= {PUBLIC}
        assert len(names.asked) == len(names.connected) <= 1


def test_m07_redirections_are_followed_by_nobody(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    partners.server.answer = plain(b"", "HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/")
    (refreshed,) = partners.refresh()
    assert "redirects are not followed" in (refreshed.failure or "")
    assert "redirects are not followed" in faults(partners, f"{URL}?other")


def test_m08_endless_document_is_refused_on_every_way(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    partners.server.answer = flood
    assert "more than 2097152 bytes" in partners.refused(location=URL)
    assert "more than 2097152 bytes" in faults(partners, f"{URL}?other")
    (refreshed,) = partners.refresh()
    assert "more than 2097152 bytes" in (refreshed.failure or "")
    assert partners.trusted() == (TRUSTED,)


HOSTILE = {
    **{f"M09-{name}": bomb for name, bomb in BOMBS.items()},
    "M10": several(documents.adfs(), documents.adfs(Shape(id="_again"))),
    "M11-script": documents.adfs(Shape(address="javascript:alert(1)")),
    "M11-http": documents.adfs(Shape(address="http://adfs.contoso.example/adfs/ls/")),
    "M12": documents.adfs(Shape(entity_id="urn:another")),
    "M14": documents.adfs(Shape(signing=())),
    "M16": documents.adfs(Shape(attributes=' validUntil="2020-01-01T00:00:00Z"')),
}


@pytest.mark.parametrize("row", [row for row in HOSTILE if row not in ("M12", "M14")])  # which a new partner may be
def test_hostile_document_is_refused_by_the_command_and_in_a_configuration_file(still: Partnership, row: str) -> None:
    before, home = still.bench.known(), still.bench.installation.home
    (home / "partner.xml").write_bytes(HOSTILE[row])
    assert ("holds more than" if row == "M09-size" else "the document") in import_refused(still, home / "partner.xml")
    assert still.bench.known() == before
    assert ("holds more than" if row == "M09-size" else "the document") in faults(still, "partner.xml")


@pytest.mark.parametrize("row", HOSTILE)
def test_hostile_document_changes_nothing_when_the_schedule_reads_it(partners: Partnership, row: str) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    before = partners.provider()
    partners.publish(HOSTILE[row])
    (refreshed,) = partners.refresh()
    assert refreshed.failure
    assert partners.provider() == before
    (status,) = metadata_status.list_all(partners.bench.installation)
    assert status.failure == refreshed.failure


def test_m05_key_without_a_use_signs_people_in_and_signatures_stay_required_on_every_way(
    partners: Partnership,
) -> None:
    partners.publish(documents.adfs(Shape(use=None)))
    partners.bench.apply(FILE.format(URL))
    assert (partners.trusted(), partners.provider().enabled) == ((TRUSTED,), True)
    partners.refresh()
    assert (partners.trusted(), partners.provider().enabled) == ((TRUSTED,), True)


def test_m15_document_whose_signature_is_broken_changes_nothing_on_any_way(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    genuine = documents.adfs(Shape(signing=(TRUSTED, certificate("rsa2048", "next"))))
    broken = documents.signed(genuine, signer("rsa2048")).replace(b"/adfs/ls/", b"/evil/ls/")
    partners.publish(broken)
    assert "signature is broken" in partners.refused(location=URL)
    (refreshed,) = partners.refresh()
    assert "signature is broken" in (refreshed.failure or "")
    assert "signature is broken" in faults(partners, URL)
    assert partners.trusted() == (TRUSTED,)
