"""The history: entries by filter and page, figures by day, contacts, what waits."""

from dataclasses import fields
from datetime import date, datetime, timedelta

import pytest

from plugin_sync import history
from plugin_sync.history import Contact, Filters, Needs, Tally
from plugin_sync.records import Counts, ImportReport, TableReport, UndoneTable, UndoReport
from plugin_sync.schema import TALLIED, define_tables

NOON = datetime(2026, 5, 10, 12)


@pytest.fixture
def db(new_db):
    return new_db(define_tables)


def job(db, uuid, kind="import", state="done", *, day=10, **facts):
    when = datetime(2026, 5, day, 9)
    ended = {"finished_on": when + timedelta(minutes=1)} if state in history.ENDED else {}
    db.plugin_sync_job.insert(uuid=uuid, kind=kind, state=state, file_name=f"{uuid}.csv", created_on=when, **ended, **facts)


def imported(**tables):
    reports = tuple(TableReport(name, Counts(**counts)) for name, counts in tables.items())
    return ImportReport(dry_run=False, policy="newer", tables=reports)


def found(db, **filters):
    return [entry.uuid for entry in history.read_entries(db, Filters(**filters))]


def test_a_tally_has_the_columns_of_its_table():
    assert tuple(field.name for field in fields(Tally)) == TALLIED


def test_entries_come_latest_first_with_their_counts(db):
    job(db, "early", day=1)
    job(db, "out", "export", day=3, instance_id=4, user_id=7, module_name="org", size_bytes=12)
    job(db, "late", day=2)
    history.note_import(db, "late", imported(org={"new": 2, "rejected": 1}, person={"new": 3, "same": 5}))
    history.note_export(db, "out", {"org": 9, "person": 1})
    out, late, early = history.read_entries(db, Filters())
    assert (out.uuid, out.tally, out.user_id, out.module) == ("out", Tally(exported=10), 7, "org")
    assert (late.uuid, late.tally) == ("late", Tally(new=5, same=5, rejected=1))
    assert (early.uuid, early.tally, early.when) == ("early", Tally(), datetime(2026, 5, 1, 9, 1))


def test_an_undo_is_counted(db):
    job(db, "undo", "undo")
    history.note_undo(db, "undo", UndoReport(False, (UndoneTable("org", removed=3, restored=2),)))
    assert history.read_entries(db, Filters())[0].tally == Tally(removed=3, restored=2)


def test_filters(db):
    job(db, "a", day=1, instance_id=1)
    job(db, "b", "export", day=2, instance_id=2)
    job(db, "c", state="failed", day=3, instance_id=1)
    job(db, "d", state="running", day=4)
    job(db, "e", "undo", day=5)
    job(db, "f", "something", day=5)
    history.note_import(db, "a", imported(org={"new": 1}, person={"rejected": 2}))
    history.note_export(db, "b", {"org": 1})
    assert found(db) == ["e", "d", "c", "b", "a"]
    assert found(db, instance=1) == ["c", "a"]
    assert found(db, direction="export") == ["b"]
    assert found(db, result="failed") == ["c"]
    assert found(db, result="open") == ["d"]
    assert found(db, result="left_out") == ["a"]
    assert found(db, result="ended") == ["e", "c", "b", "a"]
    assert found(db, table="org") == ["b", "a"]
    assert found(db, table="person", direction="export") == []
    assert found(db, first=date(2026, 5, 2), last=date(2026, 5, 3)) == ["c", "b"]
    assert history.count_entries(db, Filters(result="done")) == 3
    assert history.tables_seen(db) == ["org", "person"]


def test_pages(db):
    for number in range(1, 6):
        job(db, f"j{number}")
    pages = [[e.uuid for e in history.read_entries(db, Filters(), page, 2)] for page in (1, 2, 3)]
    assert pages == [["j5", "j4"], ["j3", "j2"], ["j1"]]


def test_figures_by_day(db):
    days = Filters().days(date(2026, 5, 10))
    assert (len(days), days[0], days[-1]) == (14, date(2026, 4, 27), date(2026, 5, 10))
    job(db, "a", day=10, instance_id=1)
    job(db, "b", day=10, instance_id=1)
    job(db, "c", "export", state="failed", day=9)
    job(db, "d", state="checked", day=9)
    history.note_import(db, "a", imported(org={"new": 2, "changed": 1}, person={"new": 1}))
    history.note_import(db, "b", imported(org={"changed": 4}))
    assert history.counts_by_day(db, Filters(), days) == {
        (date(2026, 5, 10), "import", 1): 2,
        (date(2026, 5, 9), "export", None): 1,
    }
    assert history.counts_by_day(db, Filters(table="org"), days) == {(date(2026, 5, 10), "import", 1): 2}
    assert history.records_by_day(db, days) == {date(2026, 5, 10): (3, 5)}
    assert history.records_by_day(db, days[:-1]) == {}
    assert [(e.uuid, e.state) for e in history.last_results(db, Filters())] == [("c", "failed"), ("a", "done"), ("b", "done")]
    assert [e.uuid for e in history.last_results(db, Filters(), 1)] == ["b"]


@pytest.mark.parametrize(
    ("filters", "first", "last", "count"),
    [
        (Filters(), date(2026, 4, 27), date(2026, 5, 10), 14),
        (Filters(first=date(2026, 5, 8)), date(2026, 5, 8), date(2026, 5, 10), 3),
        (Filters(last=date(2026, 1, 31)), date(2026, 1, 18), date(2026, 1, 31), 14),
        (Filters(first=date(2025, 1, 1), last=date(2026, 1, 31)), date(2025, 12, 3), date(2026, 1, 31), 60),
        (Filters(first=date(2026, 3, 2), last=date(2026, 3, 1)), date(2026, 3, 1), date(2026, 3, 1), 1),
        (Filters(first=date(2027, 3, 2)), date(2027, 3, 2), date(2027, 3, 2), 1),
    ],
)
def test_the_days_that_are_shown(filters, first, last, count):
    days = filters.days(date(2026, 5, 10))
    assert (days[0], days[-1], len(days)) == (first, last, count)


def test_contacts(db):
    job(db, "a", day=1, instance_id=1)
    job(db, "b", day=3, instance_id=1)
    job(db, "c", "export", day=2, instance_id=1)
    job(db, "d", "export", day=4, instance_id=2)
    job(db, "e", "export", state="failed", day=5, instance_id=2)
    assert history.contacts(db) == {
        1: Contact(datetime(2026, 5, 2, 9, 1), datetime(2026, 5, 3, 9, 1)),
        2: Contact(datetime(2026, 5, 4, 9, 1), None),
    }


def test_what_waits(db):
    job(db, "a", day=9)
    job(db, "b", state="failed")
    history.note_import(db, "a", imported(org={"rejected": 2}, person={"rejected": 7}))
    assert history.needs(db, 1, NOON) == Needs(conflicts=0, rejected=9, interrupted=1)
    assert history.needs(db, 0, NOON + timedelta(days=30)) == Needs()
