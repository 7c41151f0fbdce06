"""What the application's model takes from the engine, in one module, so that it needs one import.

The model runs at every request. Where the engine lies in the application's own modules, web2py first looks for each import
all along Python's path, in vain: 0.1 ms a statement.
"""

from __future__ import annotations

from .addresses import Addresses, networks
from .assets import compress_static
from .commands import Context, main
from .identity import new_uuid
from .instances import ensure_self
from .jobs import Imports, Outbox, begin, in_thread
from .options import Options, read_options
from .register import known_keys
from .schema import define_tables
from .sent import Sent
from .settings import Duplicates, Settings
from .signing import Trust, has_cryptography, own_signer
from .startup import start
from .syncs import Syncs, connect_by
from .vault import Vault

__all__ = [
    "Addresses",
    "Context",
    "Duplicates",
    "Imports",
    "Options",
    "Outbox",
    "Sent",
    "Settings",
    "Syncs",
    "Trust",
    "Vault",
    "begin",
    "compress_static",
    "connect_by",
    "define_tables",
    "ensure_self",
    "has_cryptography",
    "in_thread",
    "known_keys",
    "main",
    "networks",
    "new_uuid",
    "own_signer",
    "read_options",
    "start",
]
