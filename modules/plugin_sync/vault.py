"""Secrets that must be read again, encrypted with a key that lies beside the database and not in it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from .errors import SettingsError
from .signing import require_cryptography, write_once

with contextlib.suppress(ImportError):  # what has nothing to do with tokens works without
    from cryptography.fernet import Fernet, InvalidToken


@dataclass(frozen=True, slots=True)
class Vault:
    """The file of the key: made at first use, readable by the server's user alone."""

    path: Path

    def lock(self, secret: str) -> str:
        """Return a secret encrypted, as ASCII."""
        return self._fernet().encrypt(secret.encode("utf-8")).decode("ascii")

    def unlock(self, locked: str) -> str:
        """Return what `lock` was given; SettingsError when the key is another, as after moving a database alone."""
        fernet = self._fernet()
        try:
            return fernet.decrypt(locked.encode("ascii")).decode("utf-8")
        except InvalidToken as exc:
            hint = "Enter the token again, and give access again, on the page of the office."
            raise SettingsError("the key that the tokens were encrypted with is not here any more", hint=hint) from exc

    def _fernet(self) -> Fernet:
        require_cryptography()
        if not self.path.exists():
            write_once(self.path, Fernet.generate_key())
        return Fernet(self.path.read_bytes())
