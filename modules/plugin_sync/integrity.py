"""What a table needs before its records can be told apart: a unique index on uuid, no uuid missing, none twice.

Looks and mends; decides nothing. Values are bound, names come from TableSpec alone. Nothing commits here (but MariaDB
commits by itself before and after it makes an index).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import SettingsError, StoreError
from .records import TableSpec

MAX_EXAMPLES = 5
_BATCH = 10_000
_MAX_INDEX_NAME = 60  # PostgreSQL cuts names at 63 bytes, MariaDB refuses them above 64


@dataclass(frozen=True, slots=True)
class UuidState:
    """How far a table's uuids can be relied on.

    `missing` counts records with no uuid or an empty one, `duplicates` the records that share a uuid with an older
    one (upper and lower case are the same), `examples` are some of the uuids that stand twice.
    """

    index: bool
    missing: int
    duplicates: int
    examples: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is left to mend."""
        return self.index and not self.missing and not self.duplicates


def uuid_state(db: Any, spec: TableSpec) -> UuidState:
    """Return what is there and what is amiss in one table with a uuid; reads the whole table twice."""
    column, folded = _uuid_column(spec), _folded(db, spec)
    missing = _one(db, f"SELECT COUNT(*) FROM {spec.sql_name} WHERE {_blank(column)}")
    groups = (
        f"SELECT MIN({column}) AS example, COUNT(*) AS n FROM {spec.sql_name}"
        f" WHERE NOT ({_blank(column)}) GROUP BY {folded} HAVING COUNT(*) > 1"
    )
    duplicates = _one(db, f"SELECT COALESCE(SUM(n - 1), 0) FROM ({groups}) AS twice")
    examples: list[tuple[Any, ...]] = []
    if duplicates:
        examples = _rows(db, f"SELECT example FROM ({groups}) AS twice ORDER BY example LIMIT {MAX_EXAMPLES}")
    return UuidState(has_uuid_index(db, spec), missing, duplicates, tuple(str(row[0]) for row in examples))


def has_uuid_index(db: Any, spec: TableSpec) -> bool:
    """Return whether some unique index, or constraint, stands on exactly the uuid column."""
    return has_unique_index(db, spec.sql_name, (_uuid_column(spec),))


def has_unique_index(db: Any, sql_name: str, columns: Sequence[str]) -> bool:
    """Return whether a whole, valid unique index stands on exactly these columns (SQL-ready names) of a table."""
    wanted = sorted(_bare(column) for column in columns)
    return any(sorted(found) == wanted for found in _INDEXES[db._adapter.dbengine](db, sql_name))


def create_uuid_index(db: Any, spec: TableSpec) -> bool:
    """Make the unique index on a table's uuid; return False when one was there.

    Raises StoreError when uuids stand twice, or when the database refuses.
    """
    column = _uuid_column(spec)
    if has_uuid_index(db, spec):
        return False
    state = uuid_state(db, spec)
    empty = _one(db, f"SELECT COUNT(*) FROM {spec.sql_name} WHERE {column} = ''")
    if state.duplicates or empty > 1:
        one = "1 record has the UUID of another"
        twice = one if state.duplicates == 1 else f"{state.duplicates} records have the UUID of another"
        what = twice if state.duplicates else f"{empty} UUIDs are empty"
        raise StoreError(
            f"{what}, so that no unique index can be made",
            table=spec.name,
            column=spec.uuid_name,
            hint="Give these records new UUIDs, then create the index.",
        )
    create_unique_index(db, spec.sql_name, (column,))
    return True


def create_unique_index(db: Any, sql_name: str, columns: Sequence[str]) -> None:
    """Make a unique index on columns of a table (SQL-ready names); StoreError when the database refuses."""
    name = _index_name(sql_name, columns)
    sql = f"CREATE UNIQUE INDEX {db._adapter.dialect.quote(name)} ON {sql_name} ({', '.join(columns)})"
    try:
        db._adapter.execute(sql)
    except db._adapter.driver.Error as exc:
        raise StoreError(
            f"the database refused a unique index: {exc}",
            table=_bare(sql_name),
            hint="Look at the table's column and at its records in appadmin.",
        ) from exc


def give_missing_uuids(db: Any, spec: TableSpec, new_uuid: Callable[[], str]) -> int:
    """Give each record without a uuid a fresh one; return how many. Nothing else of the record changes."""
    missing = f"SELECT {_id_column(spec)} FROM {spec.sql_name} WHERE {_blank(_uuid_column(spec))}"
    return _give(db, spec, new_uuid, missing)


def renew_duplicate_uuids(db: Any, spec: TableSpec, new_uuid: Callable[[], str]) -> int:
    """Give each record that shares a uuid with an older one (of lower id) a fresh one; return how many.

    The oldest keeps the uuid, because other instances most likely know it by that.
    """
    column, folded, id_column = _uuid_column(spec), _folded(db, spec), _id_column(spec)
    younger = (
        f"SELECT id FROM (SELECT {id_column} AS id,"
        f" ROW_NUMBER() OVER (PARTITION BY {folded} ORDER BY {id_column}) AS place"
        f" FROM {spec.sql_name} WHERE NOT ({_blank(column)})) AS numbered WHERE place > 1"
    )
    return _give(db, spec, new_uuid, younger)


def _give(db: Any, spec: TableSpec, new_uuid: Callable[[], str], select_ids: str) -> int:
    """Set a fresh uuid in each record whose id the query returns."""
    mark = _mark(db)
    update = f"UPDATE {spec.sql_name} SET {_uuid_column(spec)} = {mark} WHERE {_id_column(spec)} = {mark}"
    ids = [row[0] for row in _rows(db, select_ids)]
    for batch in _batches(ids):
        db._adapter.cursor.executemany(update, [(new_uuid(), record_id) for record_id in batch])
    return len(ids)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def _uuid_column(spec: TableSpec) -> str:
    field = spec.field(spec.uuid_name) if spec.uuid_name else None
    if field is None:
        raise SettingsError("the table has no uuid field", table=spec.name)
    return field.column


def _id_column(spec: TableSpec) -> str:
    if spec.id_column is None:
        raise SettingsError("the table has no id field", table=spec.name, hint="Mend its UUIDs in the database.")
    return spec.id_column


def _blank(column: str) -> str:
    return f"{column} IS NULL OR {column} = ''"


def _folded(db: Any, spec: TableSpec) -> str:
    """Return SQL for a uuid as identity.fold gives it; PostgreSQL's lower() would follow the locale."""
    collate = ' COLLATE "C"' if db._adapter.dbengine == "postgres" else ""
    return f"LOWER({_uuid_column(spec)}{collate})"


def _mark(db: Any) -> str:
    return "?" if db._adapter.dbengine == "sqlite" else "%s"


def _bare(sql_name: str) -> str:
    """Return the last part of an SQL-ready name without its quotes."""
    return sql_name.rsplit(".", maxsplit=1)[-1].strip('"`[]')


def _index_name(sql_name: str, columns: Sequence[str]) -> str:
    name = "_".join(("uq", _bare(sql_name), *(_bare(column) for column in columns)))
    if len(name) <= _MAX_INDEX_NAME:
        return name
    return f"{name[: _MAX_INDEX_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _sqlite_indexes(db: Any, sql_name: str) -> Iterator[list[str]]:
    sql = 'SELECT name FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0'
    for (index,) in _rows(db, sql, _bare(sql_name)):
        yield [row[0] for row in _rows(db, "SELECT name FROM pragma_index_info(?)", index)]


def _postgres_indexes(db: Any, sql_name: str) -> Iterator[list[str]]:
    sql = (
        "SELECT array_agg(a.attname::text) FROM pg_index i"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
        " WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indisvalid"
        " AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts GROUP BY i.indexrelid"
    )
    return (row[0] for row in _rows(db, sql, sql_name))


def _mysql_indexes(db: Any, sql_name: str) -> Iterator[list[str]]:
    sql = (
        "SELECT GROUP_CONCAT(column_name) FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = %s"
        " GROUP BY index_name HAVING MAX(non_unique) = 0 AND MAX(sub_part) IS NULL"
    )
    return (row[0].split(",") for row in _rows(db, sql, _bare(sql_name)))


_INDEXES: dict[str, Callable[[Any, str], Iterator[list[str]]]] = {
    "sqlite": _sqlite_indexes,
    "postgres": _postgres_indexes,
    "mysql": _mysql_indexes,
}


def _rows(db: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return all rows of a query; unlike executesql it hides no error."""
    db._adapter.execute(sql, *((values,) if values else ()))
    return list(db._adapter.cursor.fetchall())


def _one(db: Any, sql: str) -> int:
    return int(_rows(db, sql)[0][0])
