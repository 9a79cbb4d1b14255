"""Folders with a service at which every ring has a step due now, by the clock of the machine."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sts.assemble import open_installation, utc_now
from sts.core.credentials import published_signing
from sts.core.model import Credential
from sts.core.rollover import RingName
from sts.operations import audit, watch
from sts.operations.apply import ApplyRequest, apply
from sts.operations.installation import Installation
from sts.settings import Settings
from tests.operations.rolling import QUICK, contoso, members, roll
from tests.operations.workbench import DAY

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RINGS = (RingName.SIGNING, RingName.DECRYPTION, RingName.TENANT_CA)
AGES: Mapping[str, timedelta] = {  # of a namespace at which a step of all rings is due
    "publish": 650 * DAY,
    "promote": 685 * DAY + HOUR,
    "destroy": 761 * DAY,
}
BEFORE: Mapping[str, tuple[timedelta, ...]] = {  # at what ages the steps before that were done
    "publish": (),
    "promote": (640 * DAY,),
    "destroy": (640 * DAY, 685 * DAY - MINUTE),
}


@dataclass(frozen=True)
class Home:
    """A folder with a service, and when it was made ready."""

    path: Path
    now: datetime
    known: frozenset[str]  # thumbprints that were there when it was made ready

    def copied(self, target: Path) -> "Home":
        """The same in another folder."""
        return Home(Path(shutil.copytree(self.path, target)), self.now, self.known)

    def opened(self) -> Installation:
        """Open it, as any command or the service does."""
        return open_home(self.path, utc_now())

    def require_whole(self) -> None:
        """Whatever happened: one primary in each ring, its key opens, what signs is public, the trail verifies."""
        installation = self.opened()
        now, namespace = utc_now() + MINUTE, contoso(installation)
        for name in RINGS:
            alive = [c for c in members(installation, name) if c.deleted_at is None]
            (holder,) = [c for c in alive if is_in_office(c, now)]
            for credential in alive:
                assert installation.key_ring.secret(namespace, credential)
            if name is RingName.SIGNING:
                assert published_signing(namespace, now)[0] == holder
        audit.verify(installation)
        installation.database.close()

    def rows(self) -> Mapping[str, object]:
        """What the database holds, key bytes aside: what happened since the home was made ready happened `now`."""
        return {
            "credentials": [self._credential(row) for row in self._select("credential")],
            "audit": [self._record(row) for row in self._select("audit")],
            "changes": self._select("change"),
            "holds": [{**row, "since": self._instant(row["since"])} for row in self._select("ring_hold")],
        }

    def _select(self, table: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path / "sts.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY 1")]

    def _credential(self, row: Mapping[str, Any]) -> dict[str, object]:
        kept = ("id", "namespace_id", "scope", "use", "kind", "key_type", "origin", "predecessor_id")
        instants = ("not_before", "created_at", "published_at", "primary_from", "demoted_at", "deleted_at")
        return {
            **{name: row[name] for name in kept},
            **{name: self._instant(row[name]) for name in instants},
            "life": row["not_after"] - row["not_before"],
            "thumbprint": self._thumbprint(row["thumbprint"]),
            "is_sealed": row["sealed"] is not None,
        }

    def _record(self, row: Mapping[str, Any]) -> dict[str, object]:
        details = json.loads(row["details"])
        if "thumbprint" in details:
            details["thumbprint"] = self._thumbprint(details["thumbprint"])
        if "primary_from" in details:
            details["primary_from"] = self._instant(int(datetime.fromisoformat(details["primary_from"]).timestamp()))
        details.pop("subject", None)
        kept = ("sequence", "actor", "namespace", "action", "subject")
        return {**{name: row[name] for name in kept}, "at": self._instant(row["at"]), "details": details}

    def _thumbprint(self, text: str) -> str:
        return text if text in self.known else "new"

    def _instant(self, seconds: int | None) -> object:
        if seconds is None:
            return None
        at = datetime.fromtimestamp(seconds, UTC)
        return "now" if abs(at - self.now) < HOUR else at


def is_in_office(credential: Credential, now: datetime) -> bool:
    """Whether it has become primary, and no other since."""
    since, until = credential.primary_from, credential.demoted_at
    return since is not None and since <= now and (until is None or until > now)


def open_home(path: Path, now: datetime) -> Installation:
    """Open the installation of a folder, new or not."""
    return open_installation(Settings.from_environ({"STS_HOME": str(path)}), "tests", now)


def make_home(path: Path, step: str, configuration: str = QUICK) -> Home:
    """Make a home in which this step is due in every automatic ring."""
    now = utc_now().replace(microsecond=0)
    born = now - AGES[step]
    installation = open_home(path, born)
    apply(installation, ApplyRequest(configuration.encode(), path, {}), born)
    for age in BEFORE[step]:
        roll(installation, born + age)
    watch.look(installation, now - MINUTE)
    assert watch.look(installation, now).fault is None
    known = {c.thumbprint for c in contoso(installation).credentials}
    installation.database.close()
    return Home(path, now, frozenset(known))
