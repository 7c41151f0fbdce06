"""Signatures of files: Ed25519 over a bundle's manifest, which holds the hash of all else.

A signature says which key made a file, and a pairing file whose key that is. It is judged before anything of the manifest is
parsed. It says nothing of time: an older bundle of the same office stays right, and the policy decides on its records.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import SettingsError, SignatureRefused
from .records import Origin

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # what has nothing to do with signatures needs nothing but pyDAL
    has_cryptography = False
else:
    has_cryptography = True

PURPOSE = b"plugin_sync bundle\0"  # a signature made for anything else is none of a bundle
KEY_BYTES, SIGNATURE_BYTES = 32, 64
PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")
# Keys of small order (RFC 8032, 8.9): one signature is right for a quarter of all messages, and nobody needs a secret for it.
SMALL_ORDER = {0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18} | {
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
}
WRONG = "the bundle's signature is wrong: it was damaged or altered"
PAIR_HINT = "Add the office by its pairing file (page Instances), then send the file again."
NEW_KEY_HINT = "If that office has a new key, give this one its new pairing file (page Instances)."
ASK_HINT = "Ask the office for the file again."


@dataclass(frozen=True, slots=True)
class Signer:
    """The own key of an instance."""

    key: ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def public_key(self) -> str:
        """What others need to know of it, in hexadecimal digits."""
        return self.key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        """Return the key and its signature of some bytes."""
        return bytes.fromhex(self.public_key) + self.key.sign(PURPOSE + data)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose keys are known here: {public key: uuid of its instance}; with `required` no others are taken."""

    keys: Mapping[str, str] = field(default_factory=dict)
    required: bool = False

    def signer_of(self, data: bytes, signature: bytes | None) -> str | None:
        """Return the public key that signed some bytes, None when none did; raises SignatureRefused."""
        if signature is None:
            if self.required:
                raise SignatureRefused("the bundle is not signed", hint=ASK_HINT)
            return None
        require_cryptography()
        key, signature = signature[:KEY_BYTES], signature[KEY_BYTES:]
        if len(signature) != SIGNATURE_BYTES or int.from_bytes(key, "little") % 2**255 in SMALL_ORDER:
            raise SignatureRefused(WRONG, hint=ASK_HINT)
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, PURPOSE + data)
        except (InvalidSignature, ValueError) as exc:
            raise SignatureRefused(WRONG, hint=ASK_HINT) from exc
        if self.required and key.hex() not in self.keys:
            raise SignatureRefused("the bundle is signed by an office that is not known here", hint=PAIR_HINT)
        return key.hex()

    def require_origin(self, signer: str | None, origin: Origin) -> None:
        """Refuse a file that says it comes from an instance whose key is known and is not the signer's."""
        named = origin.instance or ""
        known = self.keys.get(signer or "")
        if known != named if known else named in self.keys.values():
            name = origin.name or origin.base_uuid or named
            message = f"the bundle says that it comes from {name}, whose key did not sign it"
            raise SignatureRefused(message, hint=NEW_KEY_HINT)


def own_signer(path: Path) -> Signer:
    """Return the key that lies in a file, made when there is none; nobody else may read it."""
    require_cryptography()
    if not path.exists():
        write_once(path, ed25519.Ed25519PrivateKey.generate().private_bytes_raw().hex().encode("ascii"))
    try:
        return Signer(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text(encoding="ascii"))))
    except (OSError, ValueError) as exc:
        message = f"the key of this office cannot be read: {type(exc).__name__}"
        raise SettingsError(message, hint="Remove the file, and give the other offices a new pairing file.") from exc


def require_cryptography() -> None:
    """Raise SettingsError where the package for keys is missing."""
    if not has_cryptography:
        raise SettingsError("signatures and tokens need the package cryptography", hint="Install it with pip, then try again.")


def write_once(path: Path, data: bytes) -> None:
    """Write a secret, whole and for the own user alone, unless it is there: of two processes that do it at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuids.uuid4()}.part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink()
