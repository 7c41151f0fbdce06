"""The host's tables, and as many more as private/tables.txt says."""

from pathlib import Path

from gluon.tools import PluginManager
from gluon.utils import web2py_uuid

PluginManager().sync.name = "Library"

record = db.Table(
    db, "record", Field("uuid", length=64, default=web2py_uuid), Field("modified_on", "datetime", update=request.utcnow)
)
db.define_table("library_author", Field("name"), record, format="%(name)s")
db.define_table(
    "library_book", Field("title"), Field("author_id", "reference library_author"), Field("copies", "integer"), record
)
for number in range(int(Path(request.folder, "private", "tables.txt").read_text(encoding="ascii"))):
    db.define_table(f"more_{number:03d}", Field("name"), Field("amount", "integer"), record)
