"""What every operation works on."""

from dataclasses import dataclass, field
from pathlib import Path

from sts.core.ring_defaults import RingDefaults
from sts.operations.fetching import SYSTEM, Network, Reach
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation of the service, opened for operators."""

    home: Path
    base_url: str
    database: Database
    key_ring: SealedKeyRing = field(repr=False)
    roots: tuple[bytes, ...] = field(repr=False)  # DER certificates of the issuers that imports may chain to
    actor: str  # who is named in the audit records
    defaults: RingDefaults = field(default_factory=RingDefaults)  # of rings that are not configured
    mark: Path | None = None  # where the mark of the newest change lies; None: beside the master key
    network: Network = SYSTEM

    @property
    def reach(self) -> Reach:
        """What may be fetched from partners."""
        return Reach(self.base_url, self.roots, self.network)

    @property
    def exchange(self) -> Path:
        """The folder of documents that come from partners and go to them."""
        return self.home / "metadata"
