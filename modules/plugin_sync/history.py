"""What was exported, imported and undone: a list to look through, and the figures for its pictures.

Reads the rows of jobs without their reports, which may be long; how many rows of which table a job moved stands in
`plugin_sync_tally`, written together with the job's end. Times are UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from .conflicts import count_open
from .records import ImportReport, UndoReport
from .schema import TALLIED, TALLY

PAGE = 50
DAYS, MOST_DAYS = 14, 60
KINDS = ("export", "import", "undo", "sync")
OPEN = ("queued", "running", "interrupted", "checked")
ENDED = ("done", "failed", "cancelled")
RESULTS = ("done", "left_out", "failed", "cancelled", "open", "ended")
_STATES = {"open": OPEN, "ended": ENDED}
_COLUMNS = ("id", "uuid", "kind", "state", "step", "file_name", "size_bytes", "module_name", "table_names")
_MORE = ("of_uuid", "user_id", "instance_id", "created_on", "finished_on")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows a job moved, by what became of them."""

    exported: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    older: int = 0
    conflict: int = 0
    rejected: int = 0
    removed: int = 0
    restored: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. `of_uuid` is the import that an undo belongs to."""

    uuid: str
    kind: str
    state: str
    step: str
    file_name: str
    size_bytes: int
    module: str
    tables: tuple[str, ...]
    user_id: int | None
    instance_id: int | None
    when: datetime
    of_uuid: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Filters:
    """What is wanted of the history; None or nothing is all. The days are the first and the last, in UTC."""

    instance: int | None = None
    direction: str = ""
    result: str = ""
    table: str = ""
    first: date | None = None
    last: date | None = None

    def days(self, today: date) -> tuple[date, ...]:
        """The days that pictures show: two weeks, or those wanted, the last MOST_DAYS of them."""
        last = min(self.last or today, today) if self.first is None or self.first <= today else self.last or self.first
        first = self.first or last - timedelta(days=DAYS - 1)
        count = max(1, min(MOST_DAYS, (last - first).days + 1))
        return tuple(last - timedelta(days=ago) for ago in reversed(range(count)))


@dataclass(frozen=True, slots=True)
class Needs:
    """What waits for somebody: records with two versions, rows lately rejected, imports that were interrupted."""

    conflicts: int = 0
    rejected: int = 0
    interrupted: int = 0


@dataclass(frozen=True, slots=True)
class Contact:
    """When something last went to an instance, and when something last came from it."""

    sent: datetime | None = None
    received: datetime | None = None


def note_export(db: Any, job_uuid: str, rows: Mapping[str, int]) -> None:
    """Remember how many rows of each table an export held."""
    _note(db, job_uuid, {name: {"exported": count} for name, count in rows.items()})


def note_import(db: Any, job_uuid: str, report: ImportReport) -> None:
    """Remember what became of the rows of each table of an import."""
    _note(db, job_uuid, {table.table: asdict(table.counts) for table in report.tables})


def note_undo(db: Any, job_uuid: str, report: UndoReport) -> None:
    """Remember how many records of each table an undo removed and restored."""
    _note(db, job_uuid, {t.table: {"removed": t.removed, "restored": t.restored} for t in report.tables})


def _note(db: Any, job_uuid: str, rows: Mapping[str, Mapping[str, int]]) -> None:
    for name, counts in rows.items():
        db[TALLY].insert(job_uuid=job_uuid, table_name=name[:64], **counts)


def count_entries(db: Any, filters: Filters) -> int:
    """Return how many entries match."""
    return int(db(_query(db, filters)).count())


def read_entries(db: Any, filters: Filters, page: int = 1, size: int = PAGE) -> list[Entry]:
    """Return one page of the entries that match, latest first."""
    jobs = db.plugin_sync_job
    names = (*_COLUMNS, *_MORE)
    limits = ((page - 1) * size, page * size)
    order = ~_moment(jobs) | ~jobs.id
    rows = db(_query(db, filters)).select(*(jobs[name] for name in names), orderby=order, limitby=limits).as_list()
    tallies = _tallies(db, [row["uuid"] for row in rows])
    return [_entry(row, tallies.get(row["uuid"], Tally())) for row in rows]


def counts_by_day(db: Any, filters: Filters, days: Iterable[date]) -> Mapping[tuple[date, str, int | None], int]:
    """Return how many exchanges of each (day, kind, instance) came to an end on `days`, succeeded or not."""
    jobs = db.plugin_sync_job
    parts = _day_parts(_moment(jobs))
    count = jobs.id.count()
    query = _query(db, filters) & _within(_moment(jobs), days) & jobs.state.belongs(ENDED)
    wanted = (*parts, jobs.kind, jobs.instance_id)
    rows = db(query).select(*wanted, count, groupby=[*wanted])
    found: Counter[tuple[date, str, int | None]] = Counter()
    for row in rows:
        day = date(*(int(row[part]) for part in parts))
        found[day, row[jobs.kind], row[jobs.instance_id]] += row[count]
    return found


def records_by_day(db: Any, days: Iterable[date]) -> Mapping[date, tuple[int, int]]:
    """Return how many records were (new, changed) by imports on each of `days` on which there were any."""
    jobs, tally = db.plugin_sync_job, db[TALLY]
    parts = _day_parts(_moment(jobs))
    sums = (tally.new.sum(), tally.changed.sum())
    query = (tally.job_uuid == jobs.uuid) & (jobs.state == "done") & _within(_moment(jobs), days)
    rows = db(query).select(*parts, *sums, groupby=[*parts])
    return {date(*(int(row[part]) for part in parts)): (int(row[sums[0]] or 0), int(row[sums[1]] or 0)) for row in rows}


def last_results(db: Any, filters: Filters, limit: int = 60) -> list[Entry]:
    """Return the latest exchanges that have ended, oldest first, for the strip of successes."""
    jobs = db.plugin_sync_job
    query = _query(db, filters) & jobs.state.belongs(ENDED)
    names = [jobs[name] for name in (*_COLUMNS, *_MORE)]
    rows = db(query).select(*names, orderby=~_moment(jobs) | ~jobs.id, limitby=(0, limit)).as_list()
    return [_entry(row, Tally()) for row in reversed(rows)]


def contacts(db: Any) -> dict[int, Contact]:
    """Return by instance when a file for it was last made, and when one from it was last imported."""
    jobs = db.plugin_sync_job
    latest = jobs.finished_on.max()
    query = (jobs.state == "done") & (jobs.instance_id != None) & jobs.kind.belongs(KINDS[:2])  # noqa: E711
    found: dict[int, Contact] = {}
    for row in db(query).select(jobs.instance_id, jobs.kind, latest, groupby=[jobs.instance_id, jobs.kind]):
        before, when = found.get(row[jobs.instance_id], Contact()), _as_time(row[latest])
        received = row[jobs.kind] == "import"
        found[row[jobs.instance_id]] = Contact(before.sent, when) if received else Contact(when, before.received)
    return found


def needs(db: Any, interrupted: int, now: datetime) -> Needs:
    """Return what waits for somebody; `interrupted` imports are counted by whoever knows their locks."""
    jobs, tally = db.plugin_sync_job, db[TALLY]
    since = now - timedelta(days=DAYS)
    query = (tally.job_uuid == jobs.uuid) & (jobs.state == "done") & (jobs.finished_on >= since)
    rejected = db(query).select(tally.rejected.sum()).first()[tally.rejected.sum()]
    return Needs(count_open(db), int(rejected or 0), interrupted)


def tables_seen(db: Any) -> list[str]:
    """Return the names of the tables that any exchange held."""
    name = db[TALLY].table_name
    return sorted(row.table_name for row in db(db[TALLY].id > 0).select(name, distinct=True))


def _query(db: Any, filters: Filters) -> Any:
    jobs, tally = db.plugin_sync_job, db[TALLY]
    query = jobs.kind.belongs((filters.direction,) if filters.direction else KINDS)
    if filters.instance is not None:
        query &= jobs.instance_id == filters.instance
    if filters.result in _STATES:
        query &= jobs.state.belongs(_STATES[filters.result])
    elif filters.result == "left_out":
        query &= (jobs.state == "done") & jobs.uuid.belongs(db(tally.rejected > 0)._select(tally.job_uuid))
    elif filters.result:
        query &= jobs.state == filters.result
    if filters.table:
        query &= jobs.uuid.belongs(db(tally.table_name == filters.table)._select(tally.job_uuid))
    if filters.first is not None:
        query &= _moment(jobs) >= datetime.combine(filters.first, time.min)
    if filters.last is not None:
        query &= _moment(jobs) < datetime.combine(filters.last, time.min) + timedelta(days=1)
    return query


def _moment(jobs: Any) -> Any:
    """When it ended or, before that, began."""
    return jobs.finished_on.coalesce(jobs.created_on)


def _day_parts(moment: Any) -> tuple[Any, Any, Any]:
    return moment.year(), moment.month(), moment.day()


def _within(moment: Any, days: Iterable[date]) -> Any:
    first, last = min(days), max(days)
    return (moment >= datetime.combine(first, time.min)) & (moment < datetime.combine(last, time.min) + timedelta(days=1))


def _tallies(db: Any, uuids: list[str]) -> dict[str, Tally]:
    tally = db[TALLY]
    sums = [tally[name].sum() for name in TALLIED]
    rows = db(tally.job_uuid.belongs(uuids)).select(tally.job_uuid, *sums, groupby=tally.job_uuid) if uuids else ()
    return {row[tally.job_uuid]: Tally(*(int(row[s] or 0) for s in sums)) for row in rows}


def _as_time(value: Any) -> datetime | None:
    """What a database gives for the latest of some times; SQLite gives text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _entry(row: Mapping[str, Any], tally: Tally) -> Entry:
    return Entry(
        uuid=row["uuid"],
        kind=row["kind"],
        state=row["state"],
        step=row["step"] or "",
        file_name=row["file_name"] or "",
        size_bytes=row["size_bytes"] or 0,
        module=row["module_name"] or "",
        tables=tuple((row["table_names"] or "").split()),
        user_id=row["user_id"],
        instance_id=row["instance_id"],
        when=row["finished_on"] or row["created_on"],
        of_uuid=row["of_uuid"] or "",
        tally=tally,
    )
