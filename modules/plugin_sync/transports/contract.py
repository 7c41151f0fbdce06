"""What carries calls to another instance."""

from __future__ import annotations

from typing import Any, Protocol


class Transport(Protocol):
    """Calls one method of another instance's services and returns its value."""

    def call(self, method: str, *values: Any, timeout_s: float | None = None) -> Any:
        """Call once; `timeout_s` for work that takes long.

        Raises PeerSilent where trying again may help, PeerError, AddressRefused or another SyncError where it will not.
        """
