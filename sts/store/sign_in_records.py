"""What a sign-in leaves behind, in one transaction (core.sign_in_steps.SignInRecords)."""

from datetime import datetime

from sts.core.model import Namespace
from sts.core.sign_in_steps import Completed
from sts.store import replay, sessions, sign_in_states
from sts.store.database import Database
from sts.store.faultpoints import faultpoint


class SqlSignInRecords:
    """Records sign-ins; whatever stands in the way leaves no session behind."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def complete(self, namespace: Namespace, completed: Completed, now: datetime) -> str:
        """Record the sign-in, the use of its token and the session, and answer the session's token.

        Raises InvalidState for a sign-in that is over already, whose token then stays unused; ReplayedToken for a
        token that was used, which ends the sign-in; StoreUnavailable when nothing could be recorded; NamespaceNotFound
        for a namespace that is gone.
        """
        with replay.recording(self._database, (completed.use,)) as connection:
            if completed.pending.nonce:
                sign_in_states.record_use(connection, namespace, completed.pending)
            faultpoint("sign-in.used")
            refusal = replay.record(connection, namespace, completed.use)
            if refusal is None:
                token = sessions.start(connection, namespace, completed.session, now)
            faultpoint("sign-in.recorded")
        faultpoint("sign-in.committed")
        if refusal is not None:
            raise refusal
        return token
