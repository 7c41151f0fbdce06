"""Who calls, and whether he may: a user of the host by password, or an instance by its token or its signature.

What is refused is told in general words; the log says what it was.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AccessRefused, ClockDiffers, SyncError
from ..instances import Standing
from ..jobs import OTHER_OFFICE
from ..peers import Access, find_by_key, find_by_token
from ..register import Peer
from ..tokens import WINDOW_S, Signature, Signed, is_genuine, is_token, read_signature
from ..vault import Vault

SignIn = Callable[[str, str], int | None]  # name, password -> the id of a user who may call the services
_HEX = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a user, or an instance."""

    user_id: int | None = None
    peer: Peer | None = None

    @property
    def name(self) -> str:
        """What the log, and the files of its transfers, call it."""
        return f"instance {self.peer.base_uuid}" if self.peer else f"user {self.user_id}"

    @property
    def asked_by(self) -> int | None:
        """Who the history says it was."""
        return OTHER_OFFICE if self.peer else self.user_id


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a call says it is from, before its body was read: a caller that is known, or a signature to be judged."""

    caller: Caller | None = None
    access: Access | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Nonces:
    """The nonces that were used lately: a file each, made by whoever is first, in whatever process."""

    folder: Path
    clock: Callable[[], float] = time.time

    def use(self, nonce: str) -> bool:
        """Use a nonce; False when it was used before."""
        if not _HEX.match(nonce):
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        try:
            (self.folder / nonce).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _sweep(self) -> None:
        """Remove those whose calls would be refused by their time; looked for once in a window."""
        mark, now = self.folder / "swept", self.clock()
        if mark.exists() and now - mark.stat().st_mtime < WINDOW_S:
            return
        mark.touch()
        for path in self.folder.iterdir():
            if _HEX.match(path.name) and now - path.stat().st_mtime > 3 * WINDOW_S:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Gate:
    """Judges callers. `sign_in` is the host's own check of names and passwords, and of who may call."""

    db: Any
    vault: Vault
    nonces: Nonces
    sign_in: SignIn
    clock: Callable[[], float] = time.time

    def claim(self, authorization: str) -> Claim:
        """Return who a header says that the call is from; AccessRefused for nobody. The body is not needed for it."""
        kind, _, rest = authorization.partition(" ")
        if kind.lower() == "basic":
            return Claim(self._user(rest))
        if kind.lower() == "bearer" and is_token(rest.strip()):
            peer = find_by_token(self.db, rest.strip())
            return Claim(_allowed(peer, "an unknown token"))
        signature = read_signature(authorization)
        access = find_by_key(self.db, signature.key_id) if signature else None
        if signature is None or access is None:
            raise _refused("nothing to know the caller by" if not authorization else "an unknown key or kind of authorisation")
        return Claim(access=access, signature=signature)

    def caller(self, claim: Claim, call: Signed) -> Caller:
        """Return who a call is from; AccessRefused when its signature is not genuine, ClockDiffers when it is too old."""
        if claim.caller is not None:
            return claim.caller
        signature, access = claim.signature, claim.access
        if signature is None or access is None or not is_genuine(signature, call, self.vault.unlock(access.locked_key)):
            raise _refused("a signature that is not genuine")
        self._require_time(signature.time)
        if not self.nonces.use(signature.nonce):
            raise _refused("a call that was made before")
        return _allowed(access.peer, "")

    def _require_time(self, told: int) -> None:
        apart = round(abs(self.clock() - told))
        if apart <= WINDOW_S:
            return
        hint = "Set the clock of the server that is wrong."
        if apart < 2 * 3600:
            raise ClockDiffers(f"the clocks of the two offices differ by {apart // 60} minutes", hint=hint)
        if apart < 2 * 86_400:
            raise ClockDiffers(f"the clocks of the two offices differ by {apart // 3600} hours", hint=hint)
        raise ClockDiffers(f"the clocks of the two offices differ by {apart // 86_400} days", hint=hint)

    def _user(self, encoded: str) -> Caller:
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise _refused("a name and password that cannot be read") from exc
        user_id = self.sign_in(name, password) if colon else None
        if user_id is None:
            raise _refused("a wrong name or password, or a user without the right")
        return Caller(user_id=user_id)


def _allowed(peer: Peer | None, otherwise: str) -> Caller:
    if peer is None:
        raise _refused(otherwise)
    if peer.state is not Standing.KNOWN:  # it is known by then, and may be told
        raise AccessRefused("the other office has paused this one", hint="Ask the other office why.")
    return Caller(peer=peer)


def _refused(detail: str) -> AccessRefused:
    error = AccessRefused(
        "you may not call these services", hint="Send the name and password, or the token, of somebody who may."
    )
    error.detail = detail
    return error


def detail_of(error: SyncError) -> str:
    """Return what the log says of a refusal."""
    return error.detail if isinstance(error, AccessRefused) and error.detail else str(error)


def is_stranger(error: SyncError) -> bool:
    """Whether a refusal is of somebody who is not known."""
    return isinstance(error, AccessRefused) and bool(error.detail)
