"""Moves data between installations of a pyDAL application without losing any.

    from plugin_sync import export_csv, import_csv, export_file, import_file

Needs pyDAL, not web2py. These functions neither commit nor roll back what the caller has pending.
"""

from __future__ import annotations

import csv as _csv
import io as _io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .catalog import Catalog, read_catalog
from .errors import (
    Cancelled,
    CheckOutdated,
    FileAltered,
    FileEncodingError,
    FileFormatError,
    FileIncomplete,
    FileProblem,
    RowsRejected,
    SettingsError,
    SignatureRefused,
    StoreBusy,
    StoreError,
    SyncError,
    TableRefused,
)
from .exporter import Export, stream_csv, write_plain
from .formats.contract import Dialect
from .formats.registry import format_of
from .importer import run_import
from .intake import ImportOptions, Progress
from .keeping import Kept
from .planning import Transform
from .policies import Policy, decide
from .records import Counts, ExportReport, ImportReport, Origin, Outcome, Problem, TableReport, UndoReport
from .settings import Duplicates, Settings
from .signing import Signer, Trust, own_signer
from .undoing import undo_import
from .values import NULL


def export_csv(  # noqa: PLR0913  # keywords, each of one meaning
    db: Any,
    fileobj: Any,
    tables: Iterable[str] | None = None,
    module: str | None = None,
    *,
    settings: Settings | None = None,
    instance: Any = None,
    plain: bool = False,
    since: Path | None = None,
    checkpoint: Path | None = None,
) -> ExportReport:
    """Write tables of a pydal.DAL as one CSV file, as of one moment, and return what was written.

    `fileobj` is a binary file or a text file (opened with newline=''); `tables` are names, `module` the prefix that
    tables share; with neither, all that travel. `instance` (base_uuid, uuid, name) signs the footer. `plain` writes
    what stock pyDAL writes, by its own code, for receivers without this package: no footer, no uuids of references.

    `checkpoint` is a new file's path, in which is noted what this export held; given as `since` to a later one, that
    holds only what is new or has changed since. No clock is asked. Deletions do not travel.

    Raises SettingsError for a table or module that does not exist or stays home.
    """
    if plain:
        catalog = read_catalog(db, settings)
        return write_plain(db, _text_writer(fileobj), catalog, catalog.choose(tables, module))
    return export_file(
        db, fileobj, "csv", tables, module, settings=settings, instance=instance, since=since, checkpoint=checkpoint
    )


def import_csv(  # noqa: PLR0913  # pyDAL's keywords and ours
    db: Any,
    fileobj: Any,
    policy: str = "newer",
    strict: bool = True,
    dry_run: bool = False,
    *,
    settings: Settings | None = None,
    instance: Any = None,
    new_uuid: Callable[[], str] | None = None,
    progress: Progress | None = None,
    require_end: bool = True,
    table: str | None = None,
    map_tablenames: Mapping[str, str | None] | None = None,
    ignore_missing_tables: bool = False,
    validate: bool = False,
    transform: Transform | None = None,
    restore: bool = False,
    null: str = NULL,
    encoding: str = "utf-8",
    delimiter: str = ",",
    quotechar: str = '"',
    quoting: int = _csv.QUOTE_MINIMAL,
    id_map: object = None,
    keep: Kept | None = None,
) -> ImportReport:
    """Bring a CSV file, or one in another format, into a pydal.DAL, all or nothing, and return what was done.

    `fileobj` is a binary file or a text file; `policy` one of `Policy`. With `strict` any problem refuses the whole
    file; without it rejected rows are left out and reported. `dry_run` writes nothing. `instance` says which office
    this is, `new_uuid` makes uuids for rows that have none, `progress(table, rows)` is called while reading and may
    raise Cancelled. `require_end=False` takes a file without END, `table` names that of a file with only a header.

    Of pyDAL's own keywords: `map_tablenames` {file's name: name here, or None to leave it out},
    `ignore_missing_tables`, `validate` (the fields' validators judge each value), `transform` (a row's {column: text}
    -> the same, before anything looks at it), `restore` (afterwards each table of the file holds just the file's
    rows), `null`, `encoding`, `delimiter`, `quotechar`, `quoting`. `id_map` is accepted and ignored: references are
    always mapped, by uuid. With `keep`, a `Kept` folder, the import can be undone by `undo_import`.

    Raises SyncError or one of its kinds; the database is then as it was before.
    """
    options = ImportOptions(
        policy=policy,
        strict=strict,
        dry_run=dry_run,
        settings=settings or Settings(),
        instance=instance,
        new_uuid=new_uuid,
        progress=progress,
        transform=transform,
        validate=validate,
        restore=restore,
        map_tablenames=map_tablenames or {},
        ignore_missing_tables=ignore_missing_tables,
        null=null,
        keep=keep,
        dialect=Dialect(delimiter, quotechar, quoting, encoding, table, require_end),
    )
    return run_import(db, fileobj, options)


def export_file(  # noqa: PLR0913  # keywords, each of one meaning
    db: Any,
    fileobj: Any,
    format: str = "csv",
    tables: Iterable[str] | None = None,
    module: str | None = None,
    *,
    settings: Settings | None = None,
    instance: Any = None,
    since: Path | None = None,
    checkpoint: Path | None = None,
    uploads: Path | None = None,
    signer: Signer | None = None,
) -> ExportReport:
    """Write tables of a pydal.DAL as one file of any format, and return what was written; otherwise as `export_csv`.

    "s3xml" is the XML of Sahana Eden. A "bundle" holds the uploaded files too: `uploads` is the folder where the
    application keeps them, when that is not the one that pyDAL takes by itself, and `signer` the key that signs it.
    `fileobj` is a binary file; for CSV also a text file.

    Raises SettingsError for a format, table or module that does not exist or stays home.
    """
    chosen: dict[str, Any] = {"form": format_of(format), "uploads": uploads, "signer": signer}
    export = Export(db, tables, module, settings=settings, instance=instance, since=since, checkpoint=checkpoint, **chosen)
    write = _byte_writer(fileobj)
    for data in export:
        write(data)
    return export.report


def import_file(  # noqa: PLR0913  # keywords, each of one meaning
    db: Any,
    fileobj: Any,
    policy: str = "newer",
    strict: bool = True,
    dry_run: bool = False,
    *,
    settings: Settings | None = None,
    instance: Any = None,
    new_uuid: Callable[[], str] | None = None,
    progress: Progress | None = None,
    keep: Kept | None = None,
    uploads: Path | None = None,
    trust: Trust | None = None,
) -> ImportReport:
    """Bring a file of any format into a pydal.DAL, all or nothing, and return what was done; otherwise as `import_csv`.

    The format is told by how the file begins; `fileobj` is a binary file that can be gone back in. Uploaded files of a
    bundle are put into the folders of their fields; `uploads` is the application's, when that is not the one that pyDAL takes
    by itself. `trust` says whose signatures are known, and whether others are taken. Files stay in place when the caller
    rolls back afterwards; nothing then refers to them, and the next import of the bundle finds them.

    Raises SyncError or one of its kinds; database and folders are then as they were before.
    """
    options = ImportOptions(
        policy=policy,
        strict=strict,
        dry_run=dry_run,
        settings=settings or Settings(),
        instance=instance,
        new_uuid=new_uuid,
        progress=progress,
        keep=keep,
        uploads=uploads,
        trust=trust or Trust(),
    )
    return run_import(db, fileobj, options)


def _byte_writer(fileobj: Any) -> Callable[[bytes], object]:
    """Return a function that writes bytes to a binary or text file; a text file's own encoding is passed by."""
    if isinstance(fileobj, _io.TextIOBase) or hasattr(fileobj, "encoding"):
        beneath = getattr(fileobj, "buffer", None)
        if beneath is None:
            return lambda data: fileobj.write(data.decode("utf-8"))
        fileobj.flush()
        return _write_of(beneath)
    try:
        fileobj.write(b"")
    except TypeError:
        return lambda data: fileobj.write(data.decode("utf-8"))
    return _write_of(fileobj)


def _write_of(fileobj: Any) -> Callable[[bytes], object]:
    write: Callable[[bytes], object] = fileobj.write
    return write


def _text_writer(fileobj: Any) -> Callable[[str], object]:
    write = _byte_writer(fileobj)
    return lambda text: write(text.encode("utf-8"))


__all__ = [
    "Cancelled",
    "Catalog",
    "CheckOutdated",
    "Counts",
    "Duplicates",
    "ExportReport",
    "FileAltered",
    "FileEncodingError",
    "FileFormatError",
    "FileIncomplete",
    "FileProblem",
    "ImportReport",
    "Kept",
    "Origin",
    "Outcome",
    "Policy",
    "Problem",
    "RowsRejected",
    "Settings",
    "SettingsError",
    "SignatureRefused",
    "Signer",
    "StoreBusy",
    "StoreError",
    "SyncError",
    "TableRefused",
    "TableReport",
    "Trust",
    "UndoReport",
    "decide",
    "export_csv",
    "export_file",
    "import_csv",
    "import_file",
    "own_signer",
    "read_catalog",
    "stream_csv",
    "undo_import",
]
