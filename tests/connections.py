"""The connections to the database, looked at when somebody takes one and when he gives it back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Pool, PoolProxiedConnection, event

from sts.store.driver import KeptConnection

Look = Callable[[Any], object]  # at a connection of the driver's


@contextmanager
def looking(taken: Look, given_back: Look = lambda connection: None) -> Iterator[None]:
    """Look at every connection of this process that is taken from a pool, or from beside it."""
    take, give_back = KeptConnection.take, KeptConnection.give_back

    def check_out(connection: Any, *rest: Any) -> None:
        taken(connection)

    def check_in(connection: Any, *rest: Any) -> None:
        given_back(connection)

    def take_kept(kept: KeptConnection) -> PoolProxiedConnection:
        is_kept = kept._idle.kept is not None  # else it comes from the pool, which tells of it
        connection = take(kept)
        if is_kept:
            taken(connection.driver_connection)
        return connection

    def give_kept_back(kept: KeptConnection, connection: PoolProxiedConnection) -> None:
        given_back(connection.driver_connection)
        give_back(kept, connection)

    event.listen(Pool, "checkout", check_out)
    event.listen(Pool, "checkin", check_in)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(KeptConnection, "take", take_kept)
            patch.setattr(KeptConnection, "give_back", give_kept_back)
            yield
    finally:
        event.remove(Pool, "checkout", check_out)
        event.remove(Pool, "checkin", check_in)
