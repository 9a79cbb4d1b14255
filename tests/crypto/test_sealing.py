"""Envelope encryption under the master key."""

import hmac
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import KeyUnreadable, MasterKeyError
from sts.crypto.sealing import (
    MasterKey,
    SealContext,
    check_key_id,
    check_value,
    clear_drafts,
    fingerprint,
    header,
    key_id,
    require_check_value,
    seal,
    unseal,
)

SECRET = bytes(range(32))
MASTER = MasterKey.from_bytes(SECRET)
OTHER = MasterKey.from_bytes(SECRET[::-1])
CONTEXT = SealContext("contoso", 7, "signing")


@given(st.binary(max_size=5000))
def test_sealed_secret_opens_to_itself(secret: bytes) -> None:
    assert unseal(MASTER, seal(MASTER, secret, CONTEXT), CONTEXT) == secret


def test_sealed_secret_has_the_documented_layout() -> None:
    """Opened here step by step with the library alone, as another implementation would."""
    sealed = seal(MASTER, b"secret", CONTEXT)
    key_id = sealed[1:9]
    kek = HKDF(hashes.SHA256(), 32, None, b"sts key encryption|" + key_id).derive(SECRET)
    data_key = AESGCM(kek).decrypt(sealed[9:21], sealed[21:69], b"dek|v1|contoso|7|signing")
    assert sealed[:1] == b"\x01"
    assert key_id == MASTER.id
    assert AESGCM(data_key).decrypt(sealed[69:81], sealed[81:], b"v1|contoso|7|signing") == b"secret"


def test_sealing_twice_shares_no_key_and_no_nonce() -> None:
    first, second = seal(MASTER, b"secret", CONTEXT), seal(MASTER, b"secret", CONTEXT)
    assert first[9:21] != second[9:21]
    assert first[21:69] != second[21:69]
    assert first[69:81] != second[69:81]


@pytest.mark.parametrize("context", [("a|b", 1, "signing"), ("a", "1|signing", "x"), ("a", 1, "sign|ing")])
def test_context_whose_parts_could_be_mistaken_is_refused(context: tuple[str, int | str, str]) -> None:
    with pytest.raises(ValueError, match="separates"):
        SealContext(*context)


def test_created_master_key_is_private_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    created = MasterKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 32
    assert unseal(MasterKey.load(path), seal(created, b"secret", CONTEXT), CONTEXT) == b"secret"
    assert list(tmp_path.iterdir()) == [path]


def test_master_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    MasterKey.create(path)
    before = path.read_bytes()
    with pytest.raises(MasterKeyError, match="master key"):
        MasterKey.create(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_master_key_without_a_folder_cannot_be_created(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="master key cannot be written"):
        MasterKey.create(tmp_path / "absent" / "master.key")


def test_master_key_behind_a_symbolic_link_loads(tmp_path: Path) -> None:
    MasterKey.create(tmp_path / "master.key")
    (tmp_path / "link").symlink_to(tmp_path / "master.key")
    assert MasterKey.load(tmp_path / "link").id == MasterKey.load(tmp_path / "master.key").id


def test_fingerprint_is_stable_and_keyed() -> None:
    first, other = MASTER.fingerprint_key, OTHER.fingerprint_key
    assert fingerprint(first, b"key") == fingerprint(first, b"key")
    assert len(bytes.fromhex(fingerprint(first, b"key"))) == 32
    assert fingerprint(first, b"key") != fingerprint(other, b"key")
    assert fingerprint(first, b"key") != fingerprint(first, b"yek")


def test_fingerprint_is_what_it_was_before_databases_kept_the_key_of_fingerprints() -> None:
    """Computed here step by step, as the first version did from the master key alone."""
    derived = HKDF(hashes.SHA256(), 32, None, b"sts fingerprints").derive(SECRET)
    assert fingerprint(MASTER.fingerprint_key, b"key") == hmac.digest(derived, b"key", "sha256").hex()


def test_sealed_secret_and_check_value_name_their_master_key() -> None:
    sealed = seal(MASTER, b"secret", CONTEXT)
    assert key_id(sealed, CONTEXT) == MASTER.id
    assert sealed.startswith(header(MASTER.id))
    assert check_key_id(check_value(OTHER)) == OTHER.id


@pytest.mark.parametrize("value", [b"", b"\x02" + bytes(100)])
def test_what_was_not_sealed_here_names_no_master_key(value: bytes) -> None:
    with pytest.raises(KeyUnreadable):
        key_id(value, CONTEXT)
    with pytest.raises(MasterKeyError, match="check value of the master key"):
        check_key_id(value)


def test_drafts_of_killed_writers_are_cleared_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    MasterKey.create(path)
    for name in (".master.key.abc.draft", ".master.key.next.abc.draft", ".other.abc.draft", "master.key.draft"):
        (tmp_path / name).touch()
    clear_drafts(path)
    assert {each.name for each in tmp_path.iterdir()} == {"master.key", ".other.abc.draft", "master.key.draft"}


def test_check_value_opens_under_its_master_key_only() -> None:
    require_check_value(MASTER, check_value(MASTER))
    with pytest.raises(MasterKeyError, match="master key"):
        require_check_value(OTHER, check_value(MASTER))


def test_log_says_why_a_secret_does_not_open_and_the_message_does_not() -> None:
    with pytest.raises(KeyUnreadable) as refusal:
        unseal(OTHER, seal(MASTER, b"secret", CONTEXT), CONTEXT)
    assert refusal.value.detail == "v1|contoso|7|signing cannot be opened: it was sealed under another master key"
    assert "contoso" not in refusal.value.message


def test_repr_shows_nothing_secret() -> None:
    assert repr(MASTER) == f"MasterKey(id={MASTER.id!r})"
