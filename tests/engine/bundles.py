"""Bundles for tests: two applications with uploaded files, each in a folder of its own, and what is in their folders."""

import io
from contextlib import contextmanager
from pathlib import Path

from pydal import Field

from plugin_sync import export_file, import_file

from .databases import database


def define(db, folder=None, separate=False):
    """Two tables with uploaded files, one that points to the other."""
    db.define_table(
        "org",
        Field("uuid", length=64, unique=True),
        Field("name", length=64),
        Field("logo", "upload", uploadfolder=folder, uploadseparate=separate),
        Field("modified_on", "datetime"),
    )
    db.define_table(
        "person",
        Field("uuid", length=64, unique=True),
        Field("name", length=64),
        Field("photo", "upload", uploadfolder=folder),
        Field("org", "reference org"),
        Field("modified_on", "datetime"),
    )


class Place:
    """A database and its folder of uploaded files."""

    def __init__(self, db, folder: Path) -> None:
        self.db, self.folder = db, folder

    def store(self, table: str, field: str, content: bytes, given: str = "Photo of Anna.jpg", **values) -> int:
        """Insert a record with a file, as a form does."""
        stored = self.db[table][field].store(io.BytesIO(content), given)
        return self.db[table].insert(**values, **{field: stored})

    def content(self, table: str, field: str, uuid: str) -> bytes | None:
        """What a download of a record's file gives; None where it names none."""
        name = self.db(self.db[table].uuid == uuid).select().first()[field]
        if not name:
            return None
        _, path = self.db[table][field].retrieve(name, nameonly=True)
        return Path(path).read_bytes()

    def name(self, table: str, field: str, uuid: str) -> str:
        """The stored name of a record's file."""
        return self.db(self.db[table].uuid == uuid).select().first()[field]

    def files(self) -> dict[str, bytes]:
        """All that lies in the folder, by path."""
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}

    def bundle(self, **options) -> bytes:
        file = io.BytesIO()
        self.report = export_file(self.db, file, "bundle", **options)
        return file.getvalue()

    def take(self, data: bytes, **options):
        report = import_file(self.db, io.BytesIO(data), **options)
        self.db.commit()
        return report


@contextmanager
def place(engine: str, folder: Path, **options):
    """Give an empty application."""
    with database(engine) as db:
        define(db, str(folder), **options)
        db.commit()
        folder.mkdir(exist_ok=True)
        yield Place(db, folder)
