"""The export pipeline: catalog -> rows as text, made in SQL -> the file's bytes; one consistent snapshot, streamed.

Rows hidden by common_filter or tenant are in it: statements go to the database, not through pyDAL's filters.
"""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .catalog import Catalog, read_catalog
from .checkpoints import Checkpoint
from .errors import SyncError
from .formats.contract import Writer, Writing
from .formats.footer import VERSION
from .formats.registry import CSV, Format
from .records import MAX_PROBLEMS, ExportReport, Origin, TableSpec
from .settings import Settings
from .signing import Signer
from .stores.contract import Snapshot
from .stores.reading import header_of
from .stores.registry import open_store
from .uploads import read_uploads

Clock = Callable[[], datetime.datetime]


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Export:
    """One export: iterate over it for the bytes of the file, then ask for `report`.

    Raises SettingsError at once, before the first byte, for what cannot be exported.
    """

    def __init__(  # noqa: PLR0913  # keywords, each of one meaning
        self,
        db: Any,
        tables: Iterable[str] | None = None,
        module: str | None = None,
        *,
        settings: Settings | None = None,
        instance: Any = None,
        clock: Clock = _utc_now,
        since: Path | None = None,
        checkpoint: Path | None = None,
        form: Format = CSV,
        uploads: Path | None = None,
        signer: Signer | None = None,
    ) -> None:
        self._catalog: Catalog = read_catalog(db, settings)
        self._chosen = self._catalog.choose(tables, module)
        self._store = open_store(db)
        self._rows: dict[str, int] = {}
        held = read_uploads(db, self._chosen, uploads)
        domain = settings.domain if settings is not None else ""
        self._writer = form.writer(Writing(_origin(instance, clock()), self._catalog.by_name, held, signer, domain))
        self._seconds = 0.0
        self._checkpoint = Checkpoint(since, checkpoint) if since or checkpoint else None

    def __iter__(self) -> Iterator[bytes]:
        started = time.monotonic()
        with self._store.snapshot() as snapshot:
            for spec in self._chosen:
                yield from self._table(snapshot, spec)
        if self._checkpoint is not None:
            self._checkpoint.finish()
        yield from self._writer.end(self._rows)
        self._seconds = time.monotonic() - started

    def _table(self, snapshot: Any, spec: TableSpec) -> Iterator[bytes]:
        specs = self._catalog.by_name
        lines = lines_of_table(snapshot, self._writer, spec, specs)
        if self._checkpoint is not None and spec.id_column is not None:
            batches = self._checkpoint.changed(spec.name, snapshot.read(spec, specs))
            filled = filter(None, batches)
            first = next(filled, None)
            if first is None:  # nothing has changed: the table is not in the file
                return
            lines = ((self._writer.rows(batch), len(batch)) for batch in itertools.chain([first], filled))
        yield self._writer.begin(spec.name, [f"{spec.name}.{column}" for column in header_of(spec, specs)])
        count = 0
        for data, rows in lines:
            count += rows
            yield data
        self._rows[spec.name] = count
        yield self._writer.end_table()

    @property
    def report(self) -> ExportReport:
        """What was written; complete once the bytes were all taken."""
        missing = self._writer.missing_files
        return ExportReport(
            rows=dict(self._rows),
            size_bytes=self._writer.size_bytes,
            sha256=self._writer.sha256,
            seconds=self._seconds,
            left_out={t.name: t.reason for t in self._catalog.tables if not t.included},
            missing_files=tuple(".".join(name[:2]) + f": {name[2]}" for name in missing[:MAX_PROBLEMS]),
            missing_total=len(missing),
        )


def _origin(instance: Any, now: datetime.datetime) -> Origin:
    made = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    if instance is None:
        return Origin(made_utc=made, version=VERSION)
    return Origin(instance.base_uuid, instance.uuid, instance.name, made, VERSION)


def lines_of_table(
    snapshot: Snapshot, writer: Writer, spec: TableSpec, specs: Mapping[str, TableSpec]
) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a table in pieces, and how many records each holds; `writer` has taken note of them."""
    lines = snapshot.lines(spec, specs) if writer.takes_lines else None
    if lines is not None:
        for data, rows in lines:
            yield writer.raw(data), rows
    else:
        for batch in snapshot.read(spec, specs):
            yield writer.rows(batch), len(batch)


def stream_csv(  # noqa: PLR0913  # keywords, each of one meaning
    db: Any,
    tables: Iterable[str] | None = None,
    module: str | None = None,
    *,
    settings: Settings | None = None,
    instance: Any = None,
    since: Path | None = None,
    checkpoint: Path | None = None,
) -> Iterator[bytes]:
    """Yield the bytes of an export in pieces of some hundred KiB; see `plugin_sync.export_csv`."""
    return iter(Export(db, tables, module, settings=settings, instance=instance, since=since, checkpoint=checkpoint))


def write_plain(db: Any, write: Callable[[str], object], catalog: Catalog, chosen: Iterable[TableSpec]) -> ExportReport:
    """Write what stock pyDAL would write for the chosen tables, by its own code, without what never leaves."""
    rows: dict[str, int] = {}
    page = 500
    sink = _Sink(write)
    for spec in chosen:
        table = db[spec.name]
        fields = [table[n] for n in table.fields if n not in spec.withheld]
        everything = db(db._adapter.id_query(table), ignore_common_filters=True)
        write(f"TABLE {spec.name}\r\n")
        rows[spec.name] = everything.count()
        for start in range(0, rows[spec.name], page):
            found = everything.select(*fields, limitby=(start, start + page), orderby=table._id)
            try:
                found.export_to_csv_file(sink, write_colnames=start == 0)
            except TypeError as exc:  # blobs that are text
                hint = "Export it in this package's own form."
                raise SyncError(f"stock pyDAL cannot write this table: {exc}", table=spec.name, hint=hint) from exc
        write("\r\n\r\n")
    write("END")
    return ExportReport(rows=rows, left_out={t.name: t.reason for t in catalog.tables if not t.included})


class _Sink:
    """A file object for csv.writer around a function."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write
