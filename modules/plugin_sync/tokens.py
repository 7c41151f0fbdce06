"""Tokens of instances, and how calls between instances are signed: HMAC-SHA256 over all that a call says.

The token itself never travels: both sides derive the key from it. Pure but for the random source, which is an argument.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

SCHEME = "PluginSync"
WINDOW_S = 300  # how far the two clocks may differ
TOKEN_BYTES = 32
_PURPOSE = b"plugin_sync signing key 1"
_HEADER = re.compile(r"PluginSync key=([0-9a-f]{16}), time=([0-9]{1,12}), nonce=([0-9a-f]{32}), mac=([0-9a-f]{64})\Z")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers besides its time and nonce; the path is that below the plugin's controller."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """What the header of a signed call says. `time` is in seconds since 1970, UTC; `key_id` tells which token."""

    key_id: str
    time: int
    nonce: str
    mac: str

    @property
    def header(self) -> str:
        """The value of the header Authorization."""
        return f"{SCHEME} key={self.key_id}, time={self.time}, nonce={self.nonce}, mac={self.mac}"


def new_token(source: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a new token: 32 random bytes as 43 characters."""
    return base64.urlsafe_b64encode(source(TOKEN_BYTES)).rstrip(b"=").decode("ascii")


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return bool(_TOKEN.match(text))


def hash_token(token: str) -> str:
    """Return what is kept of a token that was given away: it is random, so no salt is needed."""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def key_of(token: str) -> str:
    """Return the key by which a token's calls are signed, in hexadecimal digits."""
    return hmac.new(token.encode("ascii"), _PURPOSE, hashlib.sha256).hexdigest()


def key_id_of(token: str) -> str:
    """Return what tells a token's key from others: the first digits of its hash."""
    return hash_token(token)[:16]


def sign(call: Signed, token: str, time_s: int, nonce: str) -> Signature:
    """Return the signature of a call; the nonce must be used once."""
    return Signature(key_id_of(token), time_s, nonce, _mac(call, key_of(token), time_s, nonce))


def read_signature(header: str) -> Signature | None:
    """Return what a header says; None when it is not one of ours."""
    found = _HEADER.match(header)
    return Signature(found[1], int(found[2]), found[3], found[4]) if found else None


def is_genuine(signature: Signature, call: Signed, key: str) -> bool:
    """Whether a call was signed with a key; its time and nonce are the caller's to judge."""
    wanted = _mac(call, key, signature.time, signature.nonce)
    return hmac.compare_digest(wanted.encode("ascii"), signature.mac.encode("ascii"))


def same_text(one: str, other: str) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8"), other.encode("utf-8"))


def _mac(call: Signed, key: str, time_s: int, nonce: str) -> str:
    digest = hashlib.sha256(call.body).hexdigest()
    text = "\n".join((SCHEME, call.method, call.path, digest, str(time_s), nonce))
    return hmac.new(bytes.fromhex(key), text.encode("utf-8"), hashlib.sha256).hexdigest()
