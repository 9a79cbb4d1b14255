"""Reads the documents of partners again by schedule; of all processes that try, one reads each."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sts.core.errors import StoreUnavailable, StsError
from sts.core.model import PartnerRole
from sts.operations.fetching import fetch
from sts.operations.installation import Installation
from sts.operations.metadata_desk import PARTIES, PROVIDERS, Desk, Outcome, Side, settle
from sts.operations.metadata_merge import T
from sts.protocols.partner_metadata import PartnerMetadata
from sts.store import metadata_refreshes, namespaces
from sts.store.metadata_refreshes import ReadAgain, Refresh

ACTOR: Final = "metadata"  # in audit records
LONGEST: Final = timedelta(hours=1)
SHORTEST: Final = timedelta(minutes=5)
RETRY: Final = timedelta(minutes=15)
TURN: Final = timedelta(minutes=5)  # how long others keep off a document that one is reading
JITTER: Final = 0.1  # of a wait: how much earlier it may end


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of one document: an outcome, or why there is none; neither where the partner is gone."""

    refresh: Refresh
    outcome: Outcome | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Refresher:
    """Reads what is due."""

    installation: Installation
    clock: Callable[[], datetime]
    chance: Callable[[], float] = random.random  # from 0 to 1

    def run(self) -> tuple[Refreshed, ...]:
        """Read what is due and is nobody else's turn; raises StoreUnavailable."""
        with self.installation.database.reading() as connection:
            due = metadata_refreshes.list_due(connection, self.clock())
        return tuple(self._read(refresh) for refresh in due if self._claim(refresh))

    def _claim(self, refresh: Refresh) -> bool:
        with self.installation.database.recording() as connection:
            return metadata_refreshes.claim(connection, refresh, self.clock() + TURN)

    def _read(self, refresh: Refresh) -> Refreshed:
        try:
            document = fetch(refresh.location, self.installation.reach)
            outcome = _bring_up_to_date(self.installation, refresh, document, self.clock())
        except StoreUnavailable:
            raise
        except StsError as error:
            self._note(refresh, ReadAgain(self.clock(), self._soon(RETRY), failure=error.message))
            return Refreshed(refresh, failure=error.message)
        if outcome is not None and outcome.document is not None:
            self._note(refresh, self._again(outcome.document))
        return Refreshed(refresh, outcome)

    def _again(self, document: PartnerMetadata) -> ReadAgain:
        """An hour from now, earlier where the document asks for it or ends before."""
        now = self.clock()
        waits = [LONGEST, document.cache_duration or LONGEST]
        if document.valid_until is not None:
            waits.append(document.valid_until - now)
        return ReadAgain(now, self._soon(max(SHORTEST, min(waits))), document.valid_until)

    def _soon(self, wait: timedelta) -> datetime:
        """After about this time: not all partners at once, and not all nodes."""
        return self.clock() + wait * (1 - JITTER * self.chance())

    def _note(self, refresh: Refresh, found: ReadAgain) -> None:
        with self.installation.database.recording() as connection:
            metadata_refreshes.note(connection, refresh.id, found)


def _bring_up_to_date(installation: Installation, refresh: Refresh, document: bytes, now: datetime) -> Outcome | None:
    installation = replace(installation, actor=ACTOR)
    with installation.database.changing(installation.actor, now) as change:
        namespace = namespaces.find(change.connection, installation.base_url, refresh.namespace)
        desk = Desk(installation, change, namespace)
        if refresh.role is PartnerRole.RELYING_PARTY:
            return _update(desk, PARTIES, refresh, document)
        return _update(desk, PROVIDERS, refresh, document)


def _update(desk: Desk, side: Side[T], refresh: Refresh, document: bytes) -> Outcome | None:
    """None where the partner is gone meanwhile, or has another document."""
    stored = side.named(desk, refresh.name)
    if stored is None or stored.metadata is None or stored.metadata.location != refresh.location:
        return None
    return settle(desk, side, stored, (stored.metadata, document))
