"""What every Cancellations does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sts.core.model import Namespace
from sts.store.cancellations import KEPT_AFTER_EXPIRY
from sts.store.purging import purge
from tests.contract.backends import Backend, SqlBackend
from tests.core.builders import NOW, SECOND

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
LATER = NOW + timedelta(minutes=10)


@pytest.mark.parametrize("token_id", ["1", "", "é", "a\0b", "\ud800", "x" * 100_000], ids=ascii)
def test_cancelled_token_is_cancelled_in_every_process(backend: Backend, token_id: str) -> None:
    contoso = backend.save_namespace(CONTOSO)
    processes = (backend, backend.other_process())
    assert not any(process.cancellations.is_cancelled(contoso, token_id) for process in processes)
    for process in processes:  # a second time changes nothing
        process.cancellations.cancel(contoso, token_id, LATER, NOW)
    assert all(process.cancellations.is_cancelled(contoso, token_id) for process in processes)


def test_cancelled_tokens_differ_by_namespace_and_token(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(replace(CONTOSO, name="fabrikam"))
    backend.cancellations.cancel(contoso, "1", LATER, NOW)
    assert not backend.cancellations.is_cancelled(contoso, "2")
    assert not backend.cancellations.is_cancelled(fabrikam, "1")


def test_cancelled_token_is_forgotten_only_after_its_end(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    sql.cancellations.cancel(contoso, "1", LATER, NOW)
    assert purge(sql.database, LATER + KEPT_AFTER_EXPIRY) == 0
    assert sql.cancellations.is_cancelled(contoso, "1")
    assert purge(sql.database, LATER + KEPT_AFTER_EXPIRY + SECOND) == 1
    assert not sql.cancellations.is_cancelled(contoso, "1")


def test_renewal_is_forbidden_in_every_process_and_of_one_token_alone(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    processes = (backend, backend.other_process())
    assert all(process.cancellations.is_renewable(contoso, "1") for process in processes)
    for process in processes:  # a second time changes nothing
        process.cancellations.forbid_renewal(contoso, "1", LATER, NOW)
    assert not any(process.cancellations.is_renewable(contoso, "1") for process in processes)
    assert not any(process.cancellations.is_cancelled(contoso, "1") for process in processes)
    backend.cancellations.cancel(contoso, "2", LATER, NOW)
    assert backend.cancellations.is_renewable(contoso, "2")
