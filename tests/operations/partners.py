"""A workbench with a partner's web server: documents that change, a clock that moves."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sts.core.errors import StsError
from sts.core.model import IdentityProvider, PartnerRole, RelyingParty
from sts.operations.metadata_desk import Outcome
from sts.operations.metadata_judging import Consent
from sts.operations.metadata_refresh import Refreshed, Refresher
from sts.operations.partner_metadata import MetadataImport, import_metadata
from sts.store import audit
from sts.store.audit import Record
from tests.crypto.identities import NOW
from tests.operations.workbench import BASE_URL, Workbench, reopened, workbench
from tests.partner_server import URL, Names, PartnerServer, plain, root, serving

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Partnership:
    """An installation with the namespace contoso, and one partner of it on the network."""

    bench: Workbench
    server: PartnerServer
    now: datetime = NOW

    def publish(self, document: bytes) -> None:
        """Have the partner's server answer this from now on."""
        self.server.answer = plain(document)

    def bring(self, document: bytes | None = None, **changes: object) -> Outcome:
        """Import a document from a file, or (None) from the partner's server."""
        location = URL if document is None else "partner.xml"
        request = MetadataImport("contoso", location, document, name="partner", role=PartnerRole.IDENTITY_PROVIDER)
        return import_metadata(self.bench.installation, replace(request, **changes), self.now)

    def accept(self, document: bytes | None = None, **changes: object) -> Outcome:
        return self.bring(document, consent=Consent.GIVEN, **changes)

    def refused(self, document: bytes | None = None, **changes: object) -> str:
        """Import a document that must be refused and change nothing."""
        before, records = self.bench.known(), len(self.records())
        try:
            self.bring(document, **changes)
        except StsError as error:
            assert (self.bench.known(), len(self.records())) == (before, records)
            return error.message
        raise AssertionError("the document was not refused")

    def refresh(self, wait: timedelta = HOUR) -> tuple[Refreshed, ...]:
        """Let time pass, and read what is due."""
        self.now += wait
        return Refresher(self.bench.installation, lambda: self.now, lambda: 0.5).run()

    def provider(self, name: str = "partner") -> IdentityProvider:
        return self.bench.known().identity_providers[name]

    def party(self, name: str = "partner") -> RelyingParty:
        return self.bench.known().relying_parties[name]

    def trusted(self) -> tuple[bytes, ...]:
        return tuple(certificate.der for certificate in self.provider().certificates)

    def pending(self) -> tuple[bytes, ...]:
        source = self.provider().metadata
        assert source is not None
        return tuple(certificate.der for certificate in source.pending)

    def records(self) -> tuple[Record, ...]:
        with self.bench.installation.database.reading() as connection:
            audit.verify(connection)
            return tuple(audit.list_newest(connection, "contoso", 100))


@cache
def _pattern() -> Path:
    """A folder with the namespace, to be copied: its keys take time to make."""
    folder = Path(tempfile.mkdtemp(prefix="sts-partnership-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bench = workbench(folder)
    bench.apply("namespace: contoso\n")
    bench.installation.database.close()
    return folder


@contextmanager
def partnership(home: Path, base_url: str = BASE_URL) -> Iterator[Partnership]:
    """A partnership in a folder."""
    shutil.copytree(_pattern(), home, dirs_exist_ok=True)
    bench = reopened(home, base_url)
    with serving(plain(b"")) as server:
        network = Names(server.port).network()
        installation = replace(bench.installation, network=network, roots=(root(),))
        yield Partnership(replace(bench, installation=installation), server)
