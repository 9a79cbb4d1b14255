"""Browsers in which somebody has signed in by password before (core.sign_in_steps.Devices)."""

import json
import secrets
from typing import Final

from sts.core.errors import InvalidState
from sts.core.model import Namespace
from sts.crypto.state_sealing import open_state, seal_state
from sts.store.keyring import SealedKeyRing

_PURPOSE: Final = b"devices"
_LONGEST: Final = 1024  # characters


class SealedDevices:
    """Gives each browser a sealed text; nothing is stored."""

    def __init__(self, key_ring: SealedKeyRing) -> None:
        self._key_ring = key_ring

    def remember(self, namespace: Namespace, name: str) -> str:
        """Answer text by which the browser is recognised when this name signs in; raises KeyUnreadable."""
        members = [namespace.id, name, secrets.token_hex(8)]
        return seal_state(self._key(), json.dumps(members, separators=(",", ":")).encode())

    def recognised(self, namespace: Namespace, name: str, text: str) -> str | None:
        """Answer what tells this browser from others, None unless the name has signed in by it."""
        if not text or len(text) > _LONGEST:
            return None
        try:
            namespace_id, known, device = json.loads(open_state(self._key(), text))
        except InvalidState:
            return None
        return str(device) if (namespace_id, known) == (namespace.id, name) else None

    def _key(self) -> bytes:
        return self._key_ring.derived_key(_PURPOSE)
