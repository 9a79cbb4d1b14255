"""When partners' documents are read again, in both databases."""

from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest

from sts.core.model import IdentityProvider, MetadataSource, Namespace, PartnerCertificate, PartnerRole
from sts.crypto import certificates
from sts.store import identity_providers, metadata_refreshes, relying_parties
from sts.store.metadata_refreshes import FIRST, ReadAgain
from tests.contract.backends import SqlBackend
from tests.core.builders import NOW
from tests.crypto.identities import certificate
from tests.store.test_nouns import CONTOSO, PARTY

URL = "https://partner.example/metadata.xml"
LOADED = certificates.parse(certificate("rsa2048"))
PINNED = PartnerCertificate(LOADED.der, LOADED.subject, LOADED.thumbprint, LOADED.not_before, LOADED.not_after)
TOLD = (("https://a.example/",), ("00",), (PINNED,), ("01",), True, ("the sign_in_url https://b.example/",))
SOURCE = MetadataSource(URL, "urn:partner", ("issuer",), (PINNED,), *TOLD)
PROVIDER = IdentityProvider(0, "adfs", issuer="urn:partner", certificates=(PINNED,), metadata=SOURCE)
HOUR = timedelta(hours=1)


@pytest.fixture
def contoso(sql: SqlBackend) -> Namespace:
    return sql.save_namespace(CONTOSO)


def save(sql: SqlBackend, namespace: Namespace, provider: IdentityProvider) -> IdentityProvider:
    with sql.change() as change:
        return identity_providers.save(change, namespace, provider)


def due(sql: SqlBackend, wait: timedelta = FIRST) -> list[str]:
    with sql.database.reading() as connection:
        return [each.location for each in metadata_refreshes.list_due(connection, NOW + wait)]


def test_where_a_partner_s_document_is_comes_back_as_it_was_stored(sql: SqlBackend, contoso: Namespace) -> None:
    provider = save(sql, contoso, PROVIDER)
    alone = replace(PARTY, rule_groups=(), identity_providers=(), metadata=SOURCE)
    sql.save_relying_party(contoso, alone)
    with sql.database.reading() as connection:
        assert identity_providers.find(connection, contoso, "adfs") == provider
        assert relying_parties.find(connection, contoso, PARTY.name).metadata == SOURCE
        registered = metadata_refreshes.list_registered(connection, "contoso")
        assert [(each.role, each.source) for each in registered] == [(role, SOURCE) for role in PartnerRole]
        assert metadata_refreshes.list_registered(connection, "fabrikam") == ()


def test_an_address_is_followed_and_a_file_is_not(sql: SqlBackend, contoso: Namespace) -> None:
    provider = save(sql, contoso, PROVIDER)
    assert (due(sql, FIRST - timedelta(seconds=1)), due(sql)) == ([], [URL])
    save(sql, contoso, replace(provider, metadata=replace(SOURCE, location="partner.xml")))
    assert due(sql) == []
    save(sql, contoso, replace(provider, metadata=replace(SOURCE, location=f"{URL}?2")))
    assert due(sql) == [f"{URL}?2"]
    save(sql, contoso, replace(provider, metadata=None))
    assert due(sql) == []


def test_another_setting_of_the_partner_leaves_its_schedule_alone(sql: SqlBackend, contoso: Namespace) -> None:
    provider = save(sql, contoso, PROVIDER)
    with sql.database.recording() as connection:
        (refresh,) = metadata_refreshes.list_due(connection, NOW + FIRST)
        metadata_refreshes.note(connection, refresh.id, ReadAgain(NOW, NOW + 5 * HOUR, NOW + 9 * HOUR))
    save(sql, contoso, replace(provider, display_name="ADFS"))
    assert (due(sql, 4 * HOUR), due(sql, 5 * HOUR)) == ([], [URL])


def test_a_failure_leaves_what_was_known_and_goes_with_the_next_success(sql: SqlBackend, contoso: Namespace) -> None:
    save(sql, contoso, PROVIDER)
    with sql.database.recording() as connection:
        (refresh,) = metadata_refreshes.list_due(connection, NOW + FIRST)
        metadata_refreshes.note(connection, refresh.id, ReadAgain(NOW + HOUR, NOW + 2 * HOUR, NOW + 9 * HOUR))
        metadata_refreshes.note(connection, refresh.id, ReadAgain(NOW + 2 * HOUR, NOW + 3 * HOUR, failure="away"))
        (failed,) = metadata_refreshes.list_due(connection, NOW + 3 * HOUR)
        assert (failed.read_at, failed.valid_until) == (NOW + HOUR, NOW + 9 * HOUR)
        assert (failed.failed_at, failed.failure) == (NOW + 2 * HOUR, "away")
        metadata_refreshes.note(connection, refresh.id, ReadAgain(NOW + 3 * HOUR, NOW + 4 * HOUR))
        (read,) = metadata_refreshes.list_due(connection, NOW + 4 * HOUR)
        assert (read.read_at, read.failed_at, read.failure) == (NOW + 3 * HOUR, None, None)


def test_of_many_that_want_to_read_a_document_one_does(sql: SqlBackend, contoso: Namespace) -> None:
    save(sql, contoso, PROVIDER)
    with sql.database.reading() as connection:
        (refresh,) = metadata_refreshes.list_due(connection, NOW + FIRST)
    start, won = Barrier(8), []

    def run() -> None:
        start.wait()
        with sql.database.recording() as connection:
            won.append(metadata_refreshes.claim(connection, refresh, NOW + 2 * HOUR))

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_the_schedule_goes_with_its_partner(sql: SqlBackend, contoso: Namespace) -> None:
    provider = save(sql, contoso, PROVIDER)
    with sql.change() as change:
        identity_providers.delete(change, contoso, provider)
    assert due(sql) == []
