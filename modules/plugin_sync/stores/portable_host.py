"""The tables of an application, reached through pyDAL's own interface and nothing else.

Each table has a twin: a pyDAL table of the same names that is not registered with the connection and has no callbacks,
filters, defaults or conversions of the application's, so that values go in and come out as they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import SettingsError, StoreBusy, StoreError
from ..records import FieldSpec, TableSpec
from ..values import Stored
from .portable_values import JSON_TYPES, WRITTEN_AS, from_raw, to_field

PAGE = 500  # rows read or written together
BUSY = re.compile(
    r"\b(deadlock\w*|locked|lock (wait|timeout|conflict|request)|busy|timeout|timed out|serializ\w+)\b", re.IGNORECASE
)

Place = tuple[Stored, ...]  # where a row is: its id, or the values of its primary key


class Host:
    """The rows of a pydal.DAL's tables, hidden ones too; errors of the driver become StoreError."""

    def __init__(self, db: Any) -> None:
        adapter = db._adapter
        if not hasattr(adapter, "execute"):
            hint = "SQL databases are served, whichever pyDAL knows."
            raise SettingsError(f"no store for {adapter.dbengine} databases: they have no transactions", hint=hint)
        self.db = db
        self.locked = False  # whether others cannot write to the tables at all
        self.for_update = False  # whether rows can be locked by reading them
        self._adapter = adapter
        self._error: type[Exception] = adapter.driver.Error
        self._twins: dict[str, Any] = {}
        self._driver_reads_json = adapter.parse_value('"x"', "json", "json") == '"x"'

    @contextmanager
    def translated(self, spec: TableSpec | None = None) -> Iterator[None]:
        """Turn errors of the driver, or of what pyDAL makes of its values, into StoreError."""
        table = spec.name if spec is not None else None
        try:
            yield
        except self._error as exc:
            reason = " ".join(str(exc).split())
            if BUSY.search(reason):
                hint = "Try again in a minute."
                raise StoreBusy(f"the database is held by another program: {reason}", table=table, hint=hint) from exc
            raise StoreError(f"the database refused a statement: {reason}", table=table) from exc
        except ValueError as exc:
            raise StoreError(f"pyDAL cannot read or write a value: {exc}", table=table) from exc

    def statement(self, sql: str) -> None:
        """Execute a statement that has no values and no rows."""
        with self.translated():
            self.db.executesql(sql)

    def twin(self, spec: TableSpec) -> Any:
        """Return the pyDAL table by which a table is read and written."""
        if spec.name not in self._twins:
            table, db = self.db[spec.name], self.db
            fields = [db.Field(spec.id_name, "id", rname=table[spec.id_name]._rname)] if spec.id_name else []
            fields += [
                db.Field(f.name, WRITTEN_AS.get(f.type, "text"), rname=table[f.name]._rname, default=None) for f in spec.fields
            ]
            options = {} if spec.id_name else {"primarykey": list(spec.primary_key)}
            twin = db.Table(db, spec.name, *fields, rname=table._rname, **options)
            twin._sequence_name, twin._trigger_name = table._sequence_name, table._trigger_name
            twin._referenced_by = []  # which some adapters ask for: the database itself deletes what points to a row
            self._twins[spec.name] = twin
        return self._twins[spec.name]

    # ---- locks

    def look(self, spec: TableSpec) -> None:
        """Read no row of a table: SQLite, had it read nothing before, would forget all tables after a BEGIN that fails."""
        key = self._key(spec)
        self._select(spec, key == None, [key])  # noqa: E711

    def begin(self, spec: TableSpec) -> None:
        """Change no row of a table: a database that has one writer at a time makes others wait from here on."""
        self._touch(spec, self._key(spec) == None)  # noqa: E711

    def try_for_update(self, spec: TableSpec) -> bool:
        """Find out whether rows can be locked by reading them."""
        key = self._key(spec)
        try:
            self._select(spec, key == None, [key], for_update=True)  # noqa: E711
        except StoreBusy:
            raise
        except StoreError:
            return False
        self.for_update = True
        return True

    def gate(self, spec: TableSpec) -> None:
        """Wait for another import into a table: both lock its first row."""
        key = self._key(spec)
        first = self._select(spec, key != None, [key], orderby=key, limitby=(0, 1))  # noqa: E711
        if first and self.for_update:
            self._select(spec, key == first[0][0], [key], for_update=True)
        elif first:
            self._touch(spec, key == first[0][0])

    def _key(self, spec: TableSpec) -> Any:
        return self.twin(spec)[spec.id_name or spec.primary_key[0]]

    def _touch(self, spec: TableSpec, query: Any) -> None:
        twin = self.twin(spec)
        field = twin[spec.fields[0].name] if spec.fields else self._key(spec)
        query.ignore_common_filters = True
        with self.translated(spec):
            self._adapter.update(twin, query, [(field, field)])

    # ---- reading

    def pages(self, spec: TableSpec, fields: Sequence[FieldSpec], locked: bool = False) -> Iterator[list[Place]]:
        """Yield all rows of a table, (id, *fields) or only the fields in a table without ids, page by page along the id.

        `locked` rows are as they are committed now, and stay so where the database locks rows by reading them.
        """
        twin, options = self.twin(spec), {"for_update": True} if locked and self.for_update else {}
        if spec.id_name is None:
            yield self._values(spec, fields, self._key(spec) != None, **options)  # noqa: E711
            return
        ident, query = twin[spec.id_name], twin[spec.id_name] != None  # noqa: E711
        while ids := self._select(spec, query, [ident], orderby=ident, limitby=(0, PAGE)):
            yield self._values(spec, fields, query & (ident <= ids[-1][0]), orderby=ident, **options)
            query = ident > ids[-1][0]
        if options:  # a locking read sees what was committed meanwhile, which another may not
            yield self._values(spec, fields, query, orderby=ident, **options)

    def read(self, spec: TableSpec, places: Sequence[Place], fields: Sequence[FieldSpec]) -> dict[Place, Place]:
        """Return the values of rows that are there, by place."""
        return self._read(spec, places, fields, {})

    def held(self, spec: TableSpec, places: Sequence[Place], fields: Sequence[FieldSpec]) -> dict[Place, Place]:
        """Return the values of rows that are there, and keep others from changing them until the transaction ends."""
        if self.for_update:
            return self._read(spec, places, fields, {"for_update": True})
        for query in () if self.locked else self._queries(spec, places):
            self._touch(spec, query)
        return self._read(spec, places, fields, {})

    def _read(
        self, spec: TableSpec, places: Sequence[Place], fields: Sequence[FieldSpec], options: Mapping[str, Any]
    ) -> dict[Place, Place]:
        keys = [] if spec.id_name else [f for f in spec.fields if f.name in spec.primary_key]
        width = len(keys) or 1
        rows = [row for q in self._queries(spec, places) for row in self._values(spec, [*keys, *fields], q, **options)]
        return {row[:width]: row[width:] for row in rows}

    def _queries(self, spec: TableSpec, places: Sequence[Place]) -> Iterator[Any]:
        """Yield conditions that together are true for the rows at `places`, which are at most a page."""
        if spec.id_name is not None:
            if places:
                yield self.twin(spec)[spec.id_name].belongs([place[0] for place in places])
            return
        for place in places:
            yield self._at(spec, place)

    def _at(self, spec: TableSpec, place: Place) -> Any:
        twin = self.twin(spec)
        if spec.id_name is not None:
            return twin[spec.id_name] == place[0]
        keys = (f for f in spec.fields if f.name in spec.primary_key)
        first, *others = [twin[f.name] == to_field(f, value) for f, value in zip(keys, place, strict=True)]
        for other in others:
            first &= other
        return first

    def _values(self, spec: TableSpec, fields: Sequence[FieldSpec], query: Any, **options: Any) -> list[Place]:
        twin = self.twin(spec)
        ident = [twin[spec.id_name]] if spec.id_name else []
        columns = [
            twin[f.name].cast("text") if f.type in JSON_TYPES and self._driver_reads_json else twin[f.name] for f in fields
        ]
        rows = self._select(spec, query, ident + columns, **options)
        first = len(ident)
        with self.translated(spec):
            return [(*row[:first], *(from_raw(f, v) for f, v in zip(fields, row[first:], strict=True))) for row in rows]

    def _select(self, spec: TableSpec, query: Any, columns: Sequence[Any], **options: Any) -> list[tuple[Any, ...]]:
        """Return rows as the driver gives them: pyDAL's parsers round and cut."""
        with self.translated(spec):
            found = self.db(query, ignore_common_filters=True).select(*columns, processor=_as_they_are, **options)
        return [tuple(row) for row in found]

    # ---- writing

    def insert(self, spec: TableSpec, values: Mapping[str, Stored]) -> Place:
        """Insert a row; return where it is."""
        twin = self.twin(spec)
        with self.translated(spec):
            made = self._adapter.insert(twin, self._given(spec, values))
        if spec.id_name is not None:
            return (int(made),)
        return tuple(values[name] for name in (f.name for f in spec.fields if f.name in spec.primary_key))

    def update(self, spec: TableSpec, place: Place, values: Mapping[str, Stored]) -> None:
        """Update one row."""
        query = self._at(spec, place)
        query.ignore_common_filters = True
        with self.translated(spec):
            self._adapter.update(self.twin(spec), query, self._given(spec, values))

    def delete(self, spec: TableSpec, places: Sequence[Place]) -> None:
        """Delete rows."""
        for query in self._queries(spec, places):
            with self.translated(spec):
                self.db(query, ignore_common_filters=True).delete_naive()

    def _given(self, spec: TableSpec, values: Mapping[str, Stored]) -> list[tuple[Any, Any]]:
        twin = self.twin(spec)
        return [(twin[f.name], to_field(f, values[f.name])) for f in spec.fields if f.name in values]


def _as_they_are(rows: Any, fields: Any, colnames: Any, **options: Any) -> Any:
    """Stand in for pyDAL's parser in a select."""
    return rows
