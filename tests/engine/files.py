"""Files to import, made of short texts, and the two functions under test with bytes instead of file objects."""

import io
from dataclasses import replace

from plugin_sync import Counts, ImportReport, export_csv, export_file, import_csv


def csv_file(*tables: tuple[str, ...], end: str = "END\r\n") -> str:
    """Return a table file: `csv_file(("t", "id,uuid,name", "1,u1,Anna"), ...)`."""
    return "".join(_table(*table) for table in tables) + end


def _table(name: str, header: str, *rows: str) -> str:
    columns = ",".join(f"{name}.{column}" for column in header.split(","))
    return "\r\n".join((f"TABLE {name}", columns, *rows, "\r\n\r\n"))


def single_table(header: str, *rows: str) -> str:
    """Return a file with nothing but a header and rows, as appadmin writes it."""
    return "\r\n".join((header, *rows, ""))


def take(db, content: str | bytes, *args, **options) -> ImportReport:
    """Import `content` and commit."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    report = import_csv(db, io.BytesIO(data), *args, **options)
    db.commit()
    return report


def give(db, *args, form: str = "", **options) -> bytes:
    """Export, in a format if one is named, and return the file's bytes."""
    file = io.BytesIO()
    if form:
        export_file(db, file, form, *args, **options)
    else:
        export_csv(db, file, *args, **options)
    return file.getvalue()


def settled(report: ImportReport) -> ImportReport:
    """Return a report without what differs from run to run, and without what belongs to the file alone."""
    return replace(report, sha256="", size_bytes=0, seconds=0.0, lock_s=0.0)


def outcomes(report: ImportReport) -> dict[str, dict[str, int]]:
    """Return the counts of each table that are not zero."""
    return {t.table: _not_zero(t.counts) for t in report.tables}


def _not_zero(counts: Counts) -> dict[str, int]:
    names = ("new", "changed", "same", "older", "conflict", "rejected")
    return {name: getattr(counts, name) for name in names if getattr(counts, name)}


def places(problems) -> list[tuple[str, str | None, int | None, str | None]]:
    """Return code, table, line and column of each problem."""
    return [(p.code, p.table, p.line, p.column) for p in problems]
