"""Ten years in which nobody touches the service: no partner ever refuses a token (rollover.md, promise 5)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from sts.core.credentials import decryption_credentials, next_change, ring
from sts.core.model import Kind, Use
from sts.core.ring_defaults import RingDefaults
from sts.core.rollover import RingName, due_from
from sts.crypto.certificates import Purpose
from sts.operations import rollover, watch
from sts.operations.credential_files import export_key
from sts.operations.rings import Selection
from tests.flows.certified import SETTINGS, present
from tests.flows.operators import KEYS
from tests.flows.partners import OAEP, Documents, Library, Partner, accepts, encrypt, published
from tests.flows.tokens import PARTIES
from tests.flows.world import CONTOSO, START, World, decode, make_world, members
from tests.operations.workbench import write_certificate

DAY, SECOND, MINUTE = timedelta(days=1), timedelta(seconds=1), timedelta(minutes=1)
END = START + 3650 * DAY
SAMPLE = 4 * DAY  # tokens are asked for that often, besides the instants at which something changes
ROLLING = CONTOSO.replace(
    "relying_parties:", "rollover:\n  signing-keys: {automatic: true, lifetime: 2y}\nrelying_parties:"
).replace("{name: worker,", "{name: worker, certificate: worker.cer,")


@dataclass
class Decade:
    """The years as they go by."""

    world: World
    worker: bytes  # the certificate by which the client is known
    library: Library
    partners: list[Partner]
    handed: dict[int, bytes] = field(default_factory=dict)  # symmetric keys, by id, from the day they were staged
    tokens: list[tuple[datetime, str, bytes]] = field(default_factory=list)  # until they expire
    steps: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)

    def go_by(self) -> None:
        """Let the clock stand at each instant of interest."""
        for now in self._instants():
            self.world.clock.now = now
            for partner in self.partners:
                partner.catch_up(self.library, now)
            self._roll()
            self._export()
            self.library.add(now, published(self.world))
            self._judge()

    def _instants(self) -> Iterator[datetime]:
        """Every sample, every instant at which something is due or changes by itself, and the second before."""
        now = START
        while now < END:
            yield now
            following = min([at for at in (*self._due(), *self._changes()) if at > now], default=END)
            sample = START + ((now - START) // SAMPLE + 1) * SAMPLE
            now = sample if sample < following else following - SECOND if following - SECOND > now else following

    def _due(self) -> Iterator[datetime]:
        states = (rollover.state_of(self.world.namespace, name, {}, RingDefaults()) for name in RingName)
        return (due_from(step) for state in states for step in state.steps(self.world.now))

    def _changes(self) -> Iterator[datetime]:
        change = next_change(self.world.namespace, self.world.now)
        return iter(() if change is None else (change,))

    def _roll(self) -> None:
        if all(at > self.world.now for at in self._due()):
            return
        watch.look(self.world.service.installation, self.world.now - MINUTE)
        outcome = rollover.run(self.world.service.installation, self.world.now)
        assert outcome.fault is None
        self.steps.update(f"{done.ring} {done.kind}" for done in outcome.done)

    def _export(self) -> None:
        """Hand every symmetric key to its partners as soon as it is there, which is long before it signs."""
        for key in ring(self.world.namespace.credentials, Use.SIGNING, Kind.SYMMETRIC):
            if key.id not in self.handed:
                chosen = Selection(KEYS, thumbprint=key.thumbprint)
                copy = export_key(self.world.service.installation, chosen, self.world.now)
                self.handed[key.id] = decode(copy.value.replace("+", "-").replace("/", "_").rstrip("="))

    def _judge(self) -> None:
        """Every partner takes what is issued now, and whoever reads now takes what was issued before."""
        now, keys = self.world.now, list(self.handed.values())
        current = self.library.read(now)
        known = {documents.metadata: documents for documents in (current, *(p.documents for p in self.partners))}
        issued = [(party, self._token(party)) for party in PARTIES]
        for party, token in issued:
            for documents in known.values():
                assert accepts(documents, keys, party, token, now), f"{party} at {now}"
                self.judged[party] += 1
        self.tokens = [(until, party, token) for until, party, token in self.tokens if until > now]
        for _, party, token in self.tokens:
            assert accepts(current, keys, party, token, now), f"{party} at {now}, issued before"
        self.tokens += [(now + timedelta(minutes=10), party, token) for party, token in issued]
        for documents in known.values():
            assert self._decrypts(documents), f"at {now}"

    def _token(self, party: str) -> bytes:
        answer = present(self.world, self.worker, party=party)
        assert answer.status_code == 200, answer.text
        given = members(answer)
        text: str = given["access_token"]
        return decode(text) if given["token_type"] == "N_A" else text.encode()

    def _decrypts(self, documents: Documents) -> bool:
        """Whether what an identity provider encrypts now is understood."""
        sent = encrypt(documents, b"a content key")
        for credential in decryption_credentials(self.world.namespace, self.world.now):
            try:
                return loaded(self.world.secret(credential)).decrypt(sent, OAEP) == b"a content key"
            except ValueError:
                continue
        return False


@lru_cache
def loaded(secret: bytes) -> RSAPrivateKey:
    """A private key; that it is sound takes time to check."""
    key = load_der_private_key(secret, None)
    assert isinstance(key, RSAPrivateKey)
    return key


def readers(documents: Documents) -> list[Partner]:
    """One that reads every day, and one for each day of the month that reads every thirty; all know these."""
    monthly = [Partner(f"day {day} of thirty", 30 * DAY, START + day * DAY, documents) for day in range(30)]
    return [Partner("daily", DAY, START + DAY / 2, documents), *monthly]


@pytest.fixture
def decade(tmp_path: Path) -> Iterator[Decade]:
    """A service with the default policies, and symmetric keys that roll."""
    worker = write_certificate(
        tmp_path / "worker.cer", Purpose.VERIFICATION, not_before=START - DAY, not_after=END + DAY
    )
    world = make_world(tmp_path, ROLLING, **SETTINGS)
    library = Library([(START, published(world))])
    yield Decade(world, worker, library, readers(library.read(START)))
    world.close()


def test_in_ten_years_no_partner_refuses_a_token(decade: Decade) -> None:
    decade.go_by()
    rings = ("signing", "decryption", "tenant-ca", "signing-keys")
    rolled = {f"{ring} {step}" for ring in rings for step in ("publish", "promote")}
    assert {step: count for step, count in decade.steps.items() if "destroy" not in step} == dict.fromkeys(rolled, 5)
    assert min(decade.judged[party] for party in PARTIES) > 1000
    assert {len(partner.documents.signing) for partner in decade.partners} <= {1, 2}
