"""What only MariaDB's store does: rows by LOAD DATA LOCAL or by INSERT, and how it tells of a deadlock."""

import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from plugin_sync import Counts, StoreBusy, StoreError
from plugin_sync.stores import mysql
from plugin_sync.stores.mysql import MysqlSession, MysqlStore
from plugin_sync.stores.mysql_loading import encoded

from .databases import INFILE, connect, database, shared_database
from .files import csv_file, take
from .importing import define as define_offices

WAYS = ("mysql", INFILE)
SPECIAL = [
    "\\",
    "\\N",
    "\\\\N",
    "\0",
    "\x1e",
    "\x1f",
    "\\\x1f",
    "\t",
    "\r\n",
    "\n",
    "'",
    '"',
    "%s",
    "\x1a",
    "",
    " ",
    "a ",
    "\U0001f600",
    "é\\",
]
ROWS = [*SPECIAL, "".join(SPECIAL), "x" * 100_000, None, "NULL", "<NULL>"]
EVERY_TYPE = {
    "n": ("INTEGER PRIMARY KEY", list(range(len(ROWS)))),
    "texts": (mysql.TEXT_TYPE, ROWS),
    "mixed": ("VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", [1, 1.5, "\\", None] * (len(ROWS) // 4)),
    "bytes": ("LONGBLOB", ROWS),
    "whole": ("BIGINT", [2**63 - 1, -(2**63), None, 0] * (len(ROWS) // 4)),
    "floats": ("DOUBLE", [0.1, -1e300, 5e-324, None] * (len(ROWS) // 4)),
    "exact": ("DECIMAL(30,10)", ["-12345678901234567890.0123456789", None] * (len(ROWS) // 2)),
    "moments": ("DATETIME(6)", ["2024-02-29 23:59:59.000001", None] * (len(ROWS) // 2)),
    "nothing": ("DATE", [None] * len(ROWS)),
}


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@contextmanager
def session_on(db):
    """Give a session as an import has it, whose work is undone at the end."""
    with MysqlStore(db).transaction(keep=False) as session:
        yield session


def statements(monkeypatch):
    """Return a list that fills with the statements that sessions run."""
    seen = []
    run = MysqlSession.run
    monkeypatch.setattr(MysqlSession, "run", lambda self, sql, params=(): seen.append(sql) or run(self, sql, params))
    return seen


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES"])
def test_every_value_is_staged_as_it_is(way, mode):
    with database(way) as db:
        db.executesql(f"SET SESSION sql_mode = '{mode}'")
        with session_on(db) as session:
            session.create("ps_x", [f"{name} {kind}" for name, (kind, _) in EVERY_TYPE.items()])
            session.load("ps_x", list(EVERY_TYPE), [values for _, values in EVERY_TYPE.values()])
            shown = [f"CAST({name} AS CHAR)" if name in ("exact", "moments") else name for name in EVERY_TYPE]
            rows = session.rows(f"SELECT {', '.join(shown)} FROM ps_x ORDER BY n")
        expected = zip(*(values for _, values in EVERY_TYPE.values()), strict=True)
        for found, row in zip(rows, expected, strict=True):
            number, text, mixed, data, *others = row
            as_text = None if mixed is None else str(mixed)
            assert list(found) == [number, text, as_text, None if data is None else data.encode(), *others]


def test_rows_are_loaded_as_a_file_where_that_is_allowed(way, monkeypatch):
    with database(way) as db:
        define_offices(db)
        db.commit()
        seen = statements(monkeypatch)
        assert take(db, csv_file(("org", "id,uuid,name", "1,o1,A", "2,o2,B"))).counts == Counts(new=2)
    loads = [sql for sql in seen if "ps_s0" in sql and sql.startswith(("LOAD DATA", "INSERT INTO ps_s0"))]
    assert [sql.split(" ", 1)[0] for sql in loads] == ["LOAD" if way == INFILE else "INSERT"]


def test_few_rows_need_no_file(monkeypatch):
    with database(INFILE) as db:
        define_offices(db)
        db.commit()
        monkeypatch.setattr(mysql, "FEW", 2)
        seen = statements(monkeypatch)
        take(db, csv_file(("org", "id,uuid,name", "1,o1,A", "2,o2,B")))
    assert not [sql for sql in seen if sql.startswith("LOAD")]


BAD = [
    ("VARCHAR(3) CHARACTER SET utf8mb3", "1234", "too long"),
    ("VARCHAR(3) CHARACTER SET utf8mb3", "\U0001f600", "Incorrect string value"),
    ("INTEGER", 2**31, "Out of range"),
    ("INTEGER", "abc", "Incorrect integer value"),
    ("DATE", "2024-02-31", "Incorrect date value"),
    ("INTEGER NOT NULL", None, "null"),
    ("INTEGER UNIQUE", 1, "Duplicate"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), BAD)
def test_what_does_not_fit_is_an_error_and_not_changed(way, kind, value, reason):
    """LOAD DATA LOCAL would only warn."""
    with database(way) as db, pytest.raises(StoreError, match="refused a statement"), session_on(db) as session:
        session.create("ps_x", ("n INTEGER PRIMARY KEY", f"v {kind}"))
        session.load("ps_x", ("n", "v"), ([1, 2, 3], [1, value, None if kind == "INTEGER" else 2]))


def test_a_uuid_that_the_column_cannot_hold_is_refused(way):
    with database(way) as db:
        define_offices(db)
        db.commit()
        db.org.insert(uuid="pending")
        with pytest.raises(StoreError):
            take(db, csv_file(("org", "id,uuid,name", "1,o1,A", "2,\U0001f600,B")))
        assert [row.uuid for row in db(db.org).select()] == ["pending"]


def test_settings_are_given_back(way):
    names = (
        "sql_mode",
        "sql_notes",
        "max_error_count",
        "foreign_key_checks",
        "character_set_client",
        "collation_connection",
        "group_concat_max_len",
    )
    query = f"SELECT {', '.join(f'@@SESSION.{name}' for name in names)}"
    with database(way) as db:
        define_offices(db)
        db.commit()
        before = db.executesql(query)
        take(db, csv_file(("org", "id,uuid,name", "1,o1,A")))
        assert db.executesql(query) == before


def test_rows_as_a_file():
    assert encoded([[1, 2], ["a", "\\\x1e"], [None, "é"]]) == "1\x1fa\x1f\\N\x1e2\x1f\\\\\\\x1e\x1fé\x1e".encode()


# ---- deadlocks


@pytest.fixture
def offices():
    """Two connections to a database with a hundred organisations in it."""
    with ExitStack() as stack:
        uri, folder = stack.enter_context(shared_database("mysql"))
        db, other = connect(uri, folder), connect(uri, folder)
        for each in (db, other):
            stack.callback(each.close)
            stack.callback(each.rollback)
        define_offices(db)
        for number in range(100):
            db.org.insert(uuid=f"o{number}", name="Old")
        db.commit()
        define_offices(other)
        yield db, other


def cross(connection, waiting):
    """Change a record that another transaction has locked, once that one, of the connection `waiting`, waits."""
    waits = f"SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = {waiting}"
    cursor = connection.cursor()
    deadline = time.monotonic() + 30
    while not cursor.execute(waits):
        assert time.monotonic() < deadline
        time.sleep(0.2)  # asked more often, the database answers from its cache
    cursor.execute("UPDATE org SET name = 'Other' WHERE uuid = 'o99'")


def test_a_deadlock_says_that_what_was_pending_is_gone(offices):
    db, other = offices
    db.person.insert(uuid="pending")
    other(other.org.id < 90).update(name="Other")  # who has written more is not chosen to give way
    here, there = db._adapter.connection, other._adapter.connection  # pyDAL has one connection a thread
    crossing = threading.Thread(target=cross, args=(there, here.thread_id()))
    crossing.start()
    with pytest.raises(StoreBusy, match="everything since the last commit"):
        take(db, csv_file(("org", "id,uuid,name", "1,o1,New")), "theirs")
    crossing.join()
    other.commit()
    assert db(db.person).count() == 0
    assert db(db.org.name == "Other").count() == 90
    db.rollback()
    assert take(db, csv_file(("org", "id,uuid,name", "1,o1,New")), "theirs").counts == Counts(changed=1)


def test_a_lock_that_is_not_to_be_had_leaves_what_was_pending(offices, monkeypatch):
    db, other = offices
    db.person.insert(uuid="pending")
    monkeypatch.setattr(mysql, "LOCK_WAIT_S", 1)
    other(other.org.id < 100).update(name="Other")
    with pytest.raises(StoreBusy, match="held by another program"):
        take(db, csv_file(("org", "id,uuid,name", "1,o1,New")), "theirs")
    assert db(db.person).count() == 1


def test_rows_that_are_the_same_leave_the_merge_early(way, monkeypatch):
    data = csv_file(("org", "id,uuid,name", "1,o1,A", "2,o2,B", "3,o3,C"))
    with database(way) as db:
        define_offices(db)
        db.executesql("CREATE UNIQUE INDEX org_uuid ON org (uuid)")
        take(db, data)
        seen = statements(monkeypatch)
        assert take(db, data.replace("3,o3,C", "3,o3,D"), policy="theirs").counts == Counts(same=2, changed=1)
    assert any(sql.startswith("INSERT INTO ps_z0") for sql in seen)
    assert [sql for sql in seen if sql.startswith("INSERT INTO ps_m0") and "ps_z0" in sql]
