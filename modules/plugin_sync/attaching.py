"""Uploaded files that come with a file of records: which cell names which, what they are called here, and into place.

Each name of a file that came is replaced in staging: by the name that the record has here, where that file's content is the
same, so that it counts as the same; else by a new one, made of the record and the content, so that a check and its import
agree and a second import finds everything in place. What replaces a name here leaves the file that it named where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .formats.contract import Attachment, Attachments
from .records import FieldSpec, Problem
from .stores.deciding import CHANGED, CONFLICT
from .stores.matching import TO_ASK
from .stores.session import ROW_NUMBER, as_columns
from .stores.staging import Staged, Work
from .stores.writing import written_value
from .uploads import Placing, Shelf, Uploads, arrival_name, holds
from .values import Stored

PAGE = 2000  # rows
By = Mapping[str, Attachment]  # stored name at the sender


class Attaching:
    """The files of one import. `sections` are the names that the file has for tables, by their names here."""

    def __init__(self, uploads: Uploads, attachments: Attachments, sections: Mapping[str, str]) -> None:
        self._uploads, self._attachments, self._sections = uploads, attachments, sections
        self._by_field: dict[tuple[str, str], dict[str, Attachment]] = {}
        for file in attachments.files:
            self._by_field.setdefault((file.table, file.field.lower()), {})[file.name] = file
        self._coming: dict[tuple[str, int, str], Attachment] = {}  # by table, position and name here
        self._absent: list[tuple[Shelf, str, Attachment]] = []  # what records here name, and is not there

    def verify(self, told: Callable[[Attachment], None]) -> None:
        """Read every file to its end; raises FileAltered when one is not what the manifest says."""
        for file in self._attachments.files:
            for _ in self._attachments.pieces(file):
                told(file)

    def warnings(self) -> Iterator[Problem]:
        """Yield what has to be said of files that the sender did not have."""
        counts: dict[tuple[str, str], int] = {}
        for file in self._attachments.missing:
            counts[file.table, file.field] = counts.get((file.table, file.field), 0) + 1
        for (table, field), count in counts.items():
            message, hint = f"{count} uploaded files were not there when the file was made", "Their records come without them."
            if count == 1:
                message, hint = "1 uploaded file was not there when the file was made", "Its record comes without it."
            yield Problem("file_missing", message, table, None, field, hint=hint)

    def brings(self, table: str) -> bool:
        """Whether the file brings files for records of a table."""
        section = self._sections.get(table)
        return any(name == section for name, _ in self._by_field)

    # ---- names, before it is decided

    def before_matching(self, work: Work) -> None:
        """Name the files of rows that have no key: they are matched by their values."""
        for staged in work.staged:
            for position, field, shelf, files in self._fields(staged) if staged.keyless else ():
                select = f"SELECT s.n, s.v{position} FROM {staged.s} s WHERE {staged.key} IS NULL"
                for page in self._pages(work, staged, position, select):
                    named = []
                    for number, sent in page:
                        here = shelf.path(sent)  # a file of this very instance keeps its name
                        known = here is not None and holds(here, files[sent].size_bytes, files[sent].sha256)
                        named.append((number, sent if known else self._named(staged, position, shelf, files[sent], sent)))
                    self._rename(work, staged, position, field, named)

    def before_deciding(self, work: Work) -> None:
        """Name the files of all other rows: as the record here does, where it has the same content."""
        for staged in work.staged:
            for position, field, shelf, files in self._fields(staged):
                select = (
                    f"SELECT s.n, s.v{position}, m.k, t.{field.column} FROM {staged.joined} LEFT JOIN {staged.spec.sql_name} t "
                    f"ON {staged.on_local} AND m.fresh = 0 WHERE m.k IS NOT NULL"
                )
                for page in self._pages(work, staged, position, select):
                    named = []
                    for number, sent, key, ours in page:
                        name = self._kept(shelf, files[sent], sent, ours)
                        named.append((number, name or self._named(staged, position, shelf, files[sent], str(key))))
                    self._rename(work, staged, position, field, named)

    def _fields(self, staged: Staged) -> Iterator[tuple[int, FieldSpec, Shelf, By]]:
        """Yield the columns of a table for which files came and that keep files here."""
        for position, field in enumerate(staged.fields):
            files = self._by_field.get((self._sections.get(staged.spec.name, ""), field.name.lower()))
            shelf = self._uploads.shelf(staged.spec.name, field.name) if files else None
            if files and shelf is not None:
                yield position, field, shelf, files

    def _pages(self, work: Work, staged: Staged, position: int, select: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield rows whose file came, in pages; note them as such."""
        files = self._by_field[self._sections[staged.spec.name], staged.fields[position].name.lower()]
        after = 0
        while rows := work.session.rows(f"{select} AND s.n > {after} AND s.v{position} IS NOT NULL ORDER BY s.n LIMIT {PAGE}"):
            after = rows[-1][0]
            page = [row for row in rows if row[1] in files]
            if page:
                _mark(work, staged, position, [row[0] for row in page])
                yield page

    def _kept(self, shelf: Shelf, file: Attachment, sent: str, ours: Stored) -> str | None:
        """Return the name that the record has here, where the file there has the content, or is to have it."""
        path = shelf.path(str(ours)) if ours else None
        if path is None:
            return None
        if holds(path, file.size_bytes, file.sha256):
            return str(ours)
        if ours == sent and not path.exists():  # its record came without it, with a CSV
            self._absent.append((shelf, sent, file))
            return sent
        return None

    def _named(self, staged: Staged, position: int, shelf: Shelf, file: Attachment, identity: str) -> str:
        name = arrival_name(staged.spec.name, staged.fields[position].name, file.name, (identity, file.sha256), shelf.length)
        self._coming[staged.spec.name, position, name] = file
        return name

    def _rename(self, work: Work, staged: Staged, position: int, field: FieldSpec, named: list[tuple[int, str]]) -> None:
        dialect, kind = work.session.dialect, work.session.staged_type(staged.spec, field)
        with work.listed(as_columns(named, 2), (ROW_NUMBER, f"v {kind}")) as names:
            sets, source = dialect.assign(f"v{position}", "g.v"), f"{names} g"
            work.session.run(dialect.update_from.format(table=staged.s, sets=sets, source=source, on="g.n = t.n"))

    # ---- into place, after records were written

    def place(self, work: Work, placing: Placing, conflicts: bool) -> None:
        """Put the files into place of records that were written, and with `conflicts` of those that wait for a decision."""
        for staged in work.staged:
            for position in staged.attached:
                shelf = self._uploads.shelf(staged.spec.name, staged.fields[position].name)
                for name in self._written(work, staged, position, conflicts):
                    file = self._coming.get((staged.spec.name, position, name))
                    if file is not None and shelf is not None:
                        self._put(placing, shelf, name, file)
        for shelf, name, file in self._absent:
            self._put(placing, shelf, name, file)
        placing.settle()

    def _put(self, placing: Placing, shelf: Shelf, name: str, file: Attachment) -> None:
        path = shelf.path(name)
        if path is not None and not holds(path, file.size_bytes, file.sha256):
            placing.put(path, self._attachments.pieces(file), file.sha256)

    def _written(self, work: Work, staged: Staged, position: int, conflicts: bool) -> Iterator[str]:
        """Yield the names of files that records got; and that the other side of conflicts has."""
        waiting = f" OR o.o = {CONFLICT} OR m.how = {TO_ASK}" if conflicts else ""
        value = staged.value(position)
        got = f"CASE WHEN o.o = {CHANGED} THEN {written_value(work, staged, position)} ELSE {value} END"
        select = (
            f"SELECT s.n, {got} FROM {staged.joined} LEFT JOIN {staged.o} o ON o.n = m.n "
            f"LEFT JOIN {staged.spec.sql_name} t ON {staged.on_local} AND m.fresh = 0 "
            f"WHERE (m.fresh = 1 OR o.o = {CHANGED}{waiting})"
        )
        after = 0
        while rows := work.session.rows(f"{select} AND s.n > {after} ORDER BY s.n LIMIT {PAGE}"):
            after = rows[-1][0]
            yield from (str(name) for _, name in rows if name)


class Present:
    """Names under which a file lies here already count as if the file came: those that a conflict has kept."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    def before_matching(self, work: Work) -> None:
        """Do nothing: all have their names."""

    def before_deciding(self, work: Work) -> None:
        """Mark the rows whose file lies here."""
        for staged in work.staged:
            name = staged.spec.name
            for position, field in enumerate(staged.fields):
                if self._uploads.shelf(name, field.name) is not None:
                    rows = work.session.rows(f"SELECT n, v{position} FROM {staged.s} WHERE v{position} IS NOT NULL")
                    found = [number for number, sent in rows if self._uploads.file(name, field.name, sent)]
                    _mark(work, staged, position, found)

    def brings(self, table: str) -> bool:
        """Whether files may lie here for records of a table."""
        return any(name == table for name, _ in self._uploads.shelves)


def _mark(work: Work, staged: Staged, position: int, numbers: list[int]) -> None:
    """Note rows whose file came."""
    if position not in staged.attached:
        staged.attached[position] = f"ps_a{staged.index}_{position}"
        work.session.create(staged.attached[position], (ROW_NUMBER,))
    work.session.load(staged.attached[position], ("n",), as_columns([(number,) for number in numbers], 1))
