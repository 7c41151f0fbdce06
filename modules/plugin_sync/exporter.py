"""The export pipeline: catalog -> rows as text, made in SQL -> the file's bytes; one consistent snapshot, streamed.

Rows hidden by common_filter or tenant are in it: statements go to the database, not through pyDAL's filters.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .catalog import Catalog, read_catalog
from .errors import SyncError
from .formats.csv import CsvWriter
from .formats.footer import VERSION
from .records import ExportReport, Origin, TableSpec
from .settings import Settings
from .stores.reading import header_of
from .stores.registry import open_store

Clock = Callable[[], datetime.datetime]


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Export:
    """One export: iterate over it for the bytes of the file, then ask for `report`.

    Raises SettingsError at once, before the first byte, for what cannot be exported.
    """

    def __init__(
        self,
        db: Any,
        tables: Iterable[str] | None = None,
        module: str | None = None,
        *,
        settings: Settings | None = None,
        instance: Any = None,
        clock: Clock = _utc_now,
    ) -> None:
        self._catalog: Catalog = read_catalog(db, settings)
        self._chosen = self._catalog.choose(tables, module)
        self._store = open_store(db)
        self._instance = instance
        self._clock = clock
        self._rows: dict[str, int] = {}
        self._writer = CsvWriter()
        self._seconds = 0.0

    def __iter__(self) -> Iterator[bytes]:
        started = time.monotonic()
        with self._store.snapshot() as snapshot:
            for spec in self._chosen:
                yield from self._table(snapshot, spec)
        yield self._writer.end(self._origin(), self._rows)
        self._seconds = time.monotonic() - started

    def _table(self, snapshot: Any, spec: TableSpec) -> Iterator[bytes]:
        specs = self._catalog.by_name
        header = [f"{spec.name}.{column}" for column in header_of(spec, specs)]
        yield self._writer.begin(spec.name, header)
        count = 0
        if hasattr(snapshot, "csv"):  # the database makes the lines itself
            for data, rows in snapshot.csv(spec, specs):
                count += rows
                yield self._writer.raw(data)
        else:
            for batch in snapshot.read(spec, specs):
                count += len(batch)
                yield self._writer.rows(batch)
        self._rows[spec.name] = count
        yield self._writer.end_table()

    def _origin(self) -> Origin:
        me = self._instance
        made = self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        if me is None:
            return Origin(made_utc=made, version=VERSION)
        return Origin(me.base_uuid, me.uuid, me.name, made, VERSION)

    @property
    def report(self) -> ExportReport:
        """What was written; complete once the bytes were all taken."""
        return ExportReport(
            rows=dict(self._rows),
            size_bytes=self._writer.size_bytes,
            sha256=self._writer.sha256,
            seconds=self._seconds,
            left_out={t.name: t.reason for t in self._catalog.tables if not t.included},
        )


def stream_csv(
    db: Any,
    tables: Iterable[str] | None = None,
    module: str | None = None,
    *,
    settings: Settings | None = None,
    instance: Any = None,
) -> Iterator[bytes]:
    """Yield the bytes of an export in pieces of some hundred KiB; see `plugin_sync.export_csv`."""
    return iter(Export(db, tables, module, settings=settings, instance=instance))


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
