"""Signatures: whatever of a call is changed, it is not genuine any more; a token is never in what travels."""

import stat
import threading

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from plugin_sync.errors import SettingsError
from plugin_sync.services import Nonces
from plugin_sync.tokens import (
    WINDOW_S,
    Signed,
    hash_token,
    is_genuine,
    is_token,
    key_of,
    new_token,
    read_signature,
    sign,
)
from plugin_sync.vault import Vault

TOKEN = new_token(lambda size: b"\x01" * size)
CALL = Signed("POST", "/plugin_sync/call/xmlrpc", b"<methodCall/>")
NONCE = "0123456789abcdef" * 2


def test_a_token_has_32_random_bytes():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100 and all(is_token(token) and len(token) == 43 for token in tokens)
    assert not any(map(is_token, ("", "x", "é" * 43, "A" * 44, "A" * 42 + "=", "A" * 43 + "\n")))


def test_a_signature_is_read_as_it_was_written():
    made = sign(CALL, TOKEN, 1_777_713_120, NONCE)
    assert read_signature(made.header) == made
    assert is_genuine(made, CALL, key_of(TOKEN))
    assert TOKEN not in made.header and hash_token(TOKEN) not in made.header and key_of(TOKEN) != hash_token(TOKEN)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"path": "/plugin_sync/call/jsonrpc"},
        {"body": b"<methodCall />"},
        {"body": b""},
        {"time": 1},
        {"nonce": "f" * 32},
        {"token": new_token(lambda size: b"\x02" * size)},
    ],
)
def test_any_change_is_noticed(change):
    made = sign(CALL, TOKEN, 1_777_713_120, NONCE)
    call = Signed(*(change.get(name, getattr(CALL, name)) for name in ("method", "path", "body")))
    told = type(made)(made.key_id, change.get("time", made.time), change.get("nonce", made.nonce), made.mac)
    assert not is_genuine(told, call, key_of(change.get("token", TOKEN)))


@given(st.text(max_size=200))
def test_no_header_breaks_the_reader(text):
    assert read_signature(text) is None
    assert read_signature(sign(CALL, TOKEN, 1, NONCE).header + text) in (None, sign(CALL, TOKEN, 1, NONCE))


def test_a_nonce_is_used_once_whoever_asks(tmp_path):
    nonces, used = Nonces(tmp_path / "nonces"), []
    barrier = threading.Barrier(8)

    def use():
        barrier.wait()
        used.append(nonces.use(NONCE))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(used) == [False] * 7 + [True]
    assert not nonces.use("../../x") and not nonces.use("")


def test_nonces_are_kept_longer_than_their_calls_are_good(tmp_path):
    now = [Nonces(tmp_path).clock()]
    nonces = Nonces(tmp_path, lambda: now[0])
    assert nonces.use(NONCE)
    now[0] += 2 * WINDOW_S  # signed by a clock that is ahead as far as it may
    nonces.use("1" * 32)
    assert not nonces.use(NONCE)
    now[0] += 2 * WINDOW_S
    nonces.use("2" * 32)
    assert not (tmp_path / NONCE).exists()


def test_secrets_lie_encrypted_with_a_key_of_the_owner_alone(tmp_path):
    vault = Vault(tmp_path / "private" / "key")
    locked = vault.lock(TOKEN)
    assert TOKEN not in locked and vault.unlock(locked) == TOKEN
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert [path.name for path in vault.path.parent.iterdir()] == ["key"]
    assert Vault(vault.path).unlock(locked) == TOKEN
    vault.path.write_bytes(Fernet.generate_key())
    with pytest.raises(SettingsError, match="is not here any more"):
        vault.unlock(locked)


def test_two_that_make_the_key_at_once_use_one(tmp_path):
    barrier, locked = threading.Barrier(6), []

    def lock():
        barrier.wait()
        locked.append(Vault(tmp_path / "key").lock("x"))

    threads = [threading.Thread(target=lock) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {Vault(tmp_path / "key").unlock(text) for text in locked} == {"x"}
