"""The plugin as one file, `web2py.plugin.sync.w2p`, which web2py's own administration takes.

gluon's own packer takes all that bears the plugin's name: tests, private data, compiled modules, and each with the times and
the owner it has here. This one takes what an application needs, and the same files give the same bytes.
"""

import gzip
import io
import tarfile
from pathlib import Path

from .files import LIST, list_text, plugin_files, sha256_of

FILE_NAME = "web2py.plugin.sync.w2p"
EPOCH = 1_577_836_800  # 2020-01-01


def pack(top: Path, target: Path) -> list[str]:
    """Write the plugin of the checkout `top` into the file `target`; return the names of what is in it."""
    hashes = {name: sha256_of(top / name) for name in plugin_files(top)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, digest in hashes.items():
            tar.addfile(_entry(name, (top / name).stat().st_size, digest), io.BytesIO((top / name).read_bytes()))
        text = list_text(hashes).encode("utf-8")
        tar.addfile(_entry(LIST, len(text), "0"), io.BytesIO(text))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(gzip.compress(packed.getvalue(), 9, mtime=0))
    part.replace(target)
    return [*hashes, LIST]


def _entry(name: str, size: int, digest: str) -> tarfile.TarInfo:
    """A member without owner. Its time follows from its content: what caches by time notices another version."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    entry.mtime = EPOCH + int(digest[:7], 16)
    return entry
