"""What a process has open when another is forked off it: closed before, so that neither has what is the other's."""

import os
from collections.abc import Callable
from typing import Protocol
from weakref import ref

from sqlalchemy import Engine, Pool


class Forked(Protocol):
    """What holds connections."""

    def before_fork(self) -> None:
        """Close what is idle."""

    def after_fork(self) -> None:
        """Begin anew, in the child."""


def tell_of_forks(owner: Forked) -> None:
    """Tell the owner of every fork of this process, for as long as it is there."""
    found = ref(owner)

    def telling(of: Callable[[Forked], None]) -> Callable[[], None]:
        def tell() -> None:
            living = found()
            if living is not None:
                of(living)

        return tell

    os.register_at_fork(
        before=telling(lambda living: living.before_fork()), after_in_child=telling(lambda living: living.after_fork())
    )


def close_before_fork(engine: Engine) -> None:
    """Close the idle connections to a file of SQLite's, which must not be open across a fork.

    The child's own connections would believe that the process has the locks which its parent has, and hold none: what
    they commit is lost when the parent closes the file, takes nobody else to have it open and deletes its log.
    """
    if engine.dialect.name == "sqlite" and os.path.isfile(engine.url.database or ""):
        engine.dispose()


def leave_to_parent(engine: Engine) -> Pool:
    """Have the child open connections of its own; answers what holds those of the parent, which nobody may close."""
    left = engine.pool
    engine.dispose(close=False)
    return left
