"""Makes a namespace be what a configuration file says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Final

from sts.core.errors import Conflict
from sts.core.model import Namespace
from sts.operations.authorities import TenantCAOrder, make_tenant_ca, store_first
from sts.operations.configuration.known import load_known
from sts.operations.configuration.model import Known, Surroundings
from sts.operations.configuration.plan import Plan, plan
from sts.operations.configuration.reading import read_configuration
from sts.operations.configuration.steps import Action, AppliedChange, Transaction
from sts.operations.credentials import Material, create_initial
from sts.operations.fetching import fetch
from sts.operations.installation import Installation
from sts.store import namespaces
from sts.store.changes import Change

ATTEMPTS: Final = 3

Progress = Callable[[int, int], None]  # steps done, steps in all
Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """A file to be applied."""

    content: bytes = field(repr=False)
    folder: Path  # relative paths in the file start here
    environment: Mapping[str, str] = field(repr=False)
    prunes: bool = False  # delete what present sections leave out
    is_rehearsal: bool = False  # decide only


@dataclass(frozen=True, slots=True)
class Applied:
    """What was changed (or would be), what present sections leave out but stays, and what deserves attention."""

    namespace: str
    changes: tuple[AppliedChange, ...]
    left_out: tuple[AppliedChange, ...]
    warnings: tuple[str, ...]


def apply(
    installation: Installation, request: ApplyRequest, now: datetime, progress: Progress = lambda done, total: None
) -> Applied:
    """Make a namespace be what a file says, in one transaction; a second time there is nothing to do.

    Files, certificates and passwords are read and hashed before the transaction begins; if somebody changes the
    namespace meanwhile, everything is decided again. Raises InvalidConfiguration with all faults, Conflict.
    """
    fetched = cache(partial(fetch, reach=installation.reach))
    for _ in range(ATTEMPTS):
        known, planned, warnings = _decide(installation, request, fetched, now)
        if request.is_rehearsal or not planned.changes:
            return Applied(planned.namespace.name, planned.changes, planned.left_out, warnings)
        try:
            more = _carry_out(installation, planned, known, progress, now)
        except _ChangedMeanwhile:
            continue
        return Applied(planned.namespace.name, planned.changes, planned.left_out, (*warnings, *more))
    raise Conflict("somebody else keeps changing the namespace; run the command again")


class _ChangedMeanwhile(Exception):
    """The plan is about a state that is not there any more."""


def _decide(
    installation: Installation, request: ApplyRequest, fetched: Fetch, now: datetime
) -> tuple[Known, Plan, tuple[str, ...]]:
    known = Known()

    def look_up(name: str) -> Known:
        nonlocal known
        with installation.database.reading() as connection:
            known = load_known(connection, installation.base_url, name)
        return known

    surroundings = Surroundings(
        folder=request.folder,
        base_url=installation.base_url,
        now=now,
        environment=request.environment,
        fingerprint=installation.key_ring.fingerprint,
        prunes=request.prunes,
        roots=installation.roots,
        exchange=installation.exchange,
        fetch=fetched,
        defaults=installation.defaults,
    )
    configuration = read_configuration(request.content, surroundings, look_up)
    return known, plan(configuration, known, surroundings), configuration.warnings


def _carry_out(
    installation: Installation, planned: Plan, known: Known, progress: Progress, now: datetime
) -> tuple[str, ...]:
    authority = _first_authority(installation, planned, now)
    with installation.database.changing(installation.actor, now) as change:
        if load_known(change.connection, installation.base_url, planned.namespace.name) != known:
            raise _ChangedMeanwhile
        namespace = _save_namespace(installation, change, planned, authority)
        transaction = Transaction(change, installation.key_ring, namespace)
        if planned.namespace_change is not None:
            transaction.audit(planned.namespace_change)
        for done, step in enumerate(planned.steps):
            progress(done, len(planned.steps))
            step.carry_out(transaction)
        progress(len(planned.steps), len(planned.steps))
    return tuple(transaction.warnings)


def _first_authority(installation: Installation, planned: Plan, now: datetime) -> Material | None:
    """The tenant CA of a namespace that is to be created: its key is made before the transaction begins."""
    if planned.namespace_change is None or planned.namespace_change.action is not Action.CREATE:
        return None
    return make_tenant_ca(installation, TenantCAOrder(planned.namespace), now)


def _save_namespace(installation: Installation, change: Change, planned: Plan, authority: Material | None) -> Namespace:
    if planned.namespace_change is None:
        return planned.namespace
    namespace = namespaces.save(change, planned.namespace)
    if authority is not None:
        create_initial(change, installation, namespace)
        store_first(change, installation.key_ring, namespace, authority)
    return namespace
