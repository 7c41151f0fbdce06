"""The store of every database that pyDAL knows and that has no store of its own: all through pyDAL's interface.

Of SQL that runs on an unknown database nothing can be known. So the merge runs in a private SQLite database, on copies of
the tables that a file is for, with the SQL of the SQLite store; then what is new, changed or gone is written row by row
(`portable_writing`). The database gives the ids of new rows: until then they have numbers above every id.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import RowsRejected, StoreBusy, StoreError, SyncError
from ..records import FieldSpec, Identity, TableSpec
from ..values import NULL, Limits
from . import reading, sqlite
from .contract import Refused
from .portable_host import Host, Place
from .portable_values import JSON_TYPES, canonical_json, to_cell
from .portable_writing import PROVISIONAL, Writer
from .session import as_columns
from .staging import ALIASES, Work

SAVEPOINT = "plugin_sync"
LOCK_TABLE = "LOCK TABLE {} IN EXCLUSIVE MODE"  # not in the standard; PostgreSQL, Oracle, DB2 and others have it
RANGE = 1 << 40  # provisional ids of a table
LATCH = TableSpec(  # where tables cannot be locked and the application has this one, each import locks its first row
    "sync_instance", "", "", (FieldSpec("uuid", "", "string"),), Identity.UUID, id_name="id"
)
UNDONE = "Everything since the last commit was undone: this database has no savepoints."

DIALECT = dataclasses.replace(
    sqlite.DIALECT,
    limits=Limits(),
    by_text=frozenset(JSON_TYPES),
    text="canonical_json({a})",
    contents=dict.fromkeys(JSON_TYPES, "canonical_json({a})"),
    self_references_at_once=True,
)


class PortableSession(sqlite.SqliteSession):
    """Statements on a private database, which is gone with its connection."""

    dialect = DIALECT

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._ranges: dict[str, int] = {}
        connection.create_function("canonical_json", 1, canonical_json, deterministic=True)

    def staged_type(self, spec: TableSpec, field: FieldSpec) -> str:
        """Return the column affinity that keeps a stored value as it is; decimals are exact texts."""
        return "TEXT" if field.type == "decimal" else super().staged_type(spec, field)

    def unique_keys(self, spec: TableSpec) -> list[tuple[str, ...]]:
        """Return the columns that pyDAL knows to be unique, the uuid left out: it may be declared so and not be."""
        return [(f.column,) for f in spec.fields if f.unique and f.name != spec.uuid_name]

    def next_id(self, spec: TableSpec) -> int:
        """Return the first provisional id of a table: above every id that there is."""
        return PROVISIONAL + self._ranges.setdefault(spec.name, len(self._ranges)) * RANGE


class PortableStore:
    """The store of a pydal.DAL on any SQL database. Savepoints and locks by reading are used where there are such."""

    works_on_copies = True

    def __init__(self, db: Any) -> None:
        self.host = Host(db)
        self._began = self._savepoints = False

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[PortableSession]:
        """Open the private database; an exception undoes what was written to the other one since `lock`."""
        with contextlib.closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
            session = PortableSession(connection)
            session.run("BEGIN")
            try:
                yield session
            except BaseException as exc:
                self._undo(exc)
                raise

    def _undo(self, exc: BaseException) -> None:
        if not self._began:
            return
        if self._savepoints:
            with contextlib.suppress(StoreError):  # a deadlock, or a lost connection, has undone everything
                self.host.statement(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            return
        self.host.db.rollback()
        if isinstance(exc, SyncError):
            exc.hint = f"{exc.hint} {UNDONE}".strip()

    def lock(self, tables: Sequence[TableSpec]) -> None:
        """Begin to write: mark what can be undone, find out what can be locked, wait for other imports; raises StoreBusy.

        A database that cannot lock tables is left with rows: imports then wait for each other at the first row of LATCH,
        else of the tables themselves, if there is one.
        """
        if not tables:
            return
        first, *others = sorted(tables, key=lambda s: s.name)
        self.host.look(first)
        self._savepoints = self._try(f"SAVEPOINT {SAVEPOINT}")
        self._began = True
        # Before anything that locks less of a table: two imports that both want more of it then would never go on.
        if self._savepoints and self._try(LOCK_TABLE.format(first.sql_name)):
            for spec in others:
                self.host.statement(LOCK_TABLE.format(spec.sql_name))
            self.host.locked = True
            return
        self._try(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        if not self.host.try_for_update(first):
            self._try(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        self.host.begin(first)
        latch = [LATCH] if LATCH.name in self.host.db.tables else []
        for spec in (*latch, first, *others):
            self.host.gate(spec)

    def _try(self, statement: str) -> bool:
        """Execute a statement that the database may not know; return whether it does."""
        try:
            self.host.statement(statement)
        except StoreBusy:
            raise
        except StoreError:
            return False
        return True

    # ---- what is here

    def gather(self, work: Work, restore: bool) -> None:
        """Copy what the merge has to know of the tables here; from now on the specifications in `work` are of the copies."""
        targets = {f.target for s in work.staged for _, f in s.references}
        names = {s.spec.name for s in work.staged}
        pointing = {t.name for t in work.specs.values() if restore and any(f.target in names for f in t.references)}
        others = (targets | pointing | ({ALIASES} if work.aliases and ALIASES in work.specs else set())) - names - {None}
        work.specs = {name: _copied(spec) for name, spec in work.specs.items()}
        for staged in work.staged:
            staged.spec = work.specs[staged.spec.name]
            staged.fields = tuple(f for f in staged.spec.fields if staged.position(f.name) is not None)
            self._copy(work, staged.spec, staged.fields, locked=self._began)
        for spec in (work.specs[name] for name in sorted(filter(None, others))):
            fields = spec.fields if spec.name == ALIASES else [f for f in spec.fields if _identifies(spec, f, restore)]
            self._copy(work, spec, fields)

    def _copy(self, work: Work, spec: TableSpec, fields: Sequence[FieldSpec], locked: bool = False) -> None:
        session = work.session
        keys = [f.column for f in spec.fields if f.name == spec.uuid_name or f.name in spec.primary_key]
        columns = [f"{spec.id_column} INTEGER PRIMARY KEY"] if spec.id_column else []
        columns += [f"{f.column} {session.staged_type(spec, f)}" for f in spec.fields]
        session.run(f"CREATE TABLE {spec.sql_name} ({', '.join(columns)})")
        names = ([spec.id_column] if spec.id_column else []) + [f.column for f in fields]
        for page in self.host.pages(spec, fields, locked) if names else ():
            session.load(spec.sql_name, names, as_columns(page, len(names)))
            if spec.id_column and page and int(str(page[-1][0])) >= PROVISIONAL:
                raise StoreError(f"ids of {PROVISIONAL} and above are not served here", table=spec.name)
        if keys:
            session.run(f'CREATE INDEX "key of {spec.name}" ON {spec.sql_name} ({", ".join(keys)})')

    # ---- writing

    def write(self, work: Work, restore: bool) -> Refused:
        """Write what was decided; return rows that the database would not keep as they are: nothing is written then."""
        work.session.run("SAVEPOINT written")
        if self._savepoints:
            self.host.statement(f"SAVEPOINT {SAVEPOINT}_rows")
        writer = Writer(work, self.host)
        writer.write(restore)
        if not writer.problems:
            return []
        problems = [problem for _, found in writer.problems for _, problem in found]
        if not self._savepoints:  # so it cannot be tried without these rows
            raise RowsRejected(problems, len(problems))
        self.host.statement(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}_rows")
        work.session.run("ROLLBACK TO written")
        return writer.problems

    @contextmanager
    def snapshot(self) -> Iterator[PortableSnapshot]:
        """Read in the caller's transaction: of one moment where its isolation makes it so, else each page is."""
        yield PortableSnapshot(self.host)


def _copied(spec: TableSpec) -> TableSpec:
    """Return a table's specification with the SQL names that its copy has."""
    return dataclasses.replace(
        spec,
        sql_name=f'"here_{spec.name}"' if spec.name != ALIASES else ALIASES,
        id_column=f'"{spec.id_name}"' if spec.id_name else None,
        fields=tuple(dataclasses.replace(f, column=f'"{f.name}"') for f in spec.fields),
    )


def _identifies(spec: TableSpec, field: FieldSpec, restore: bool) -> bool:
    """Whether a column of a table that is not in the file matters: its uuid, and what may point to what is deleted."""
    return field.name == spec.uuid_name or (restore and field.is_reference)


class PortableSnapshot:
    """Tables as the cells of an export."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def lines(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> None:
        """Only cells can be had."""

    def read(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[reading.Rows]:
        """Yield the rows of a table as cells, in batches."""
        fields = reading.ordered(spec)
        first = 1 if spec.id_name else 0
        pointing = [(first + fields.index(f), f, specs[f.target or ""]) for f in reading.companions(spec, specs)]
        for page in self._host.pages(spec, fields):
            uuids = {f.name: self._uuids(target, (row[at] for row in page)) for at, f, target in pointing}
            yield [
                [
                    *row[:first],
                    *(to_cell(f, value) for f, value in zip(fields, row[first:], strict=True)),
                    *(_companion(f, row[at], uuids[f.name]) for at, f, _ in pointing),
                ]
                for row in page
            ]

    def _uuids(self, target: TableSpec, cells: Iterable[Any]) -> dict[int, str | None]:
        """Return the uuids of the records that these references and lists point to, by id."""
        wanted = sorted({ident for cell in cells for ident in _ids(cell)})
        field = [f for f in target.fields if f.name == target.uuid_name]
        found: dict[int, str | None] = {}
        for start in range(0, len(wanted), reading.LOOKUP):
            places: list[Place] = [(ident,) for ident in wanted[start : start + reading.LOOKUP]]
            rows = self._host.read(target, places, field)
            found |= {int(str(place[0])): None if uuid is None else str(uuid) for place, (uuid,) in rows.items()}
        return found


def _ids(cell: Any) -> list[int]:
    return [int(i) for i in str(cell).split("|") if i.strip().isdecimal()]


def _companion(field: FieldSpec, cell: Any, uuids: Mapping[int, str | None]) -> str:
    if cell is None:
        return NULL
    found = [uuids.get(ident) for ident in _ids(cell)]
    if field.is_reference:
        return NULL if not found or found[0] is None else found[0]
    return f"|{'|'.join((uuid or '').replace('|', '||') or NULL for uuid in found)}|"
