"""What others see of an export or import that is under way, and what either leaves of its caller's transaction."""

import gc
import io
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from pydal import DAL, Field

from plugin_sync import Counts, StoreBusy, StoreError, export_csv, import_csv, stream_csv
from plugin_sync.stores import mysql, postgres, sqlite

from .databases import ENGINES, PORTABLE, connect, plain, shared_database
from .files import csv_file, give, take
from .importing import connect as connect_again

FILE = csv_file(
    ("org", "id,uuid,name", "1,o1,New 1", "7,o7,New 7"),
    ("person", "id,uuid,org", "1,p1,7", "9,p9,1"),
)


class Connections(NamedTuple):
    """Two connections to one database, and a function that opens more."""

    db: DAL
    other: DAL
    more: Callable[[], DAL]


@pytest.fixture
def connections(engine):
    """Give connections to a database with an organisation and a person in it."""
    with ExitStack() as stack:
        uri, folder = stack.enter_context(shared_database(engine))

        def opened(db):
            stack.callback(db.close)
            stack.callback(db.rollback)
            return db

        db = opened(connect(uri, folder))
        if plain(engine) == "sqlite":
            db.executesql("PRAGMA journal_mode = WAL")
        db.define_table("org", Field("uuid", length=64, unique=True), Field("name", length=64), Field("up", "reference org"))
        db.define_table("person", Field("uuid", length=64), Field("org", "reference org"), Field("modified_on", "datetime"))
        db.define_table("link", Field("person", "reference person"), Field("role", length=64))
        db.person.insert(uuid="p1", org=db.org.insert(uuid="o1", name="Old 1"))
        db.commit()
        yield Connections(db, opened(connect_again(uri, folder)), lambda: connect_again(uri, folder))


def impatient(db, engine):
    """Let statements of a connection that would have to wait fail soon."""
    settings = {
        "sqlite": ["PRAGMA busy_timeout = 0"],
        "postgres": ["SET lock_timeout = '50ms'"],
        "mysql": ["SET SESSION innodb_lock_wait_timeout = 0", "SET SESSION lock_wait_timeout = 1"],
    }
    for statement in settings[plain(engine)]:
        db.executesql(statement)
    db.commit()


def start(db, text=FILE):
    """Import without a commit."""
    return import_csv(db, io.BytesIO(text.encode()), "theirs")


def waits(db, change):
    """Whether a change by an impatient connection has to wait."""
    try:
        change()
    except db._adapter.driver.OperationalError:
        db.rollback()
        return True
    db.rollback()
    return False


# ---- exports


@pytest.mark.parametrize("engine", ENGINES)  # pyDAL has no way to ask for that
def test_an_export_is_as_of_one_moment(connections):
    db, other, _ = connections
    stream = stream_csv(db)
    data = b""
    while b"o1" not in data:
        data += next(stream)
    other.person.insert(uuid="p2", org=other.org.insert(uuid="o2"))
    other(other.person.uuid == "p1").delete()
    other.commit()
    data += b"".join(stream)
    assert b"p1" in data
    assert not any(late in data for late in (b"o2", b"p2"))
    now = give(db)
    assert b"p1" not in now
    assert all(late in now for late in (b"o2", b"p2"))


@pytest.fixture
def large(new_db):
    """A table larger than what an export keeps in memory."""

    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("notes", "text"))
        for number in range(120):
            db.t.insert(uuid=f"u{number}", notes="x" * 100_000)

    return new_db(define)


def is_free(db):
    """Nothing of an export goes on: no thread, no transaction that holds the table."""
    assert [t.name for t in threading.enumerate() if "export" in t.name] == []
    db.rollback()
    assert db(db.t).count() == 120
    db.t.insert(uuid="later")
    db.commit()
    assert len(give(db)) > 12_000_000


@pytest.mark.parametrize("pieces", [0, 1, 3])
@pytest.mark.parametrize("stop", ["closed", "forgotten"])
def test_an_export_that_is_stopped_lets_go(large, pieces, stop):
    stream = stream_csv(large)
    for _ in range(pieces):
        next(stream)
    if stop == "closed":
        stream.close()
    del stream
    gc.collect()
    is_free(large)


def test_an_export_whose_receiver_goes_away_lets_go(large):
    class Gone(io.BytesIO):
        def write(self, data):
            if self.tell() > 500_000:
                raise ConnectionError("gone")
            return super().write(data)

    try:
        export_csv(large, Gone())
    except ConnectionError:
        large.rollback()  # while the traceback still holds the export
        assert large(large.t).count() == 120
    is_free(large)


def test_an_export_leaves_what_is_pending(connections):
    db, other, _ = connections
    db.org.insert(uuid="pending")
    for _ in range(2):
        assert b"pending" in give(db)
    stream = stream_csv(db)
    next(stream)
    stream.close()
    assert db(db.org.uuid == "pending").count() == 1
    assert other(other.org).count() == 1
    other.rollback()
    db.commit()
    assert other(other.org).count() == 2


# ---- imports


def test_ids_go_on_behind_imported_ones(connections):
    db, *_ = connections
    take(db, FILE, "theirs")
    highest = max(row.id for row in db(db.org).select())
    assert db.org.insert(uuid="next") > highest
    assert take(db, csv_file(("org", "id,uuid,name", "1,o8,8"))).counts == Counts(new=1)
    assert db.org.insert(uuid="after") > db.org(uuid="o8").id


def test_readers_go_on_and_writers_wait_while_an_import_is_applied(connections, engine):
    db, other, _ = connections
    impatient(other, engine)
    assert start(db).counts == Counts(new=2, changed=2)
    assert [row.name for row in other(other.org).select()] == ["Old 1"]
    other.rollback()
    assert waits(other, lambda: other(other.org.uuid == "o1").update(name="x"))
    assert waits(other, lambda: other.org.insert(uuid="o9"))
    assert waits(other, lambda: other(other.org.uuid == "o1").delete())
    db.commit()
    assert sorted(row.name for row in other(other.org).select()) == ["New 1", "New 7"]
    assert not waits(other, lambda: other.org.insert(uuid="o9"))


def test_a_writer_that_waited_goes_on(connections):
    db, _, more = connections
    start(db)

    def write():
        mine = more()
        mine.org.insert(uuid="waited")
        mine.commit()
        mine.close()

    writer = threading.Thread(target=write)
    writer.start()
    db.commit()
    writer.join()
    assert {row.uuid for row in db(db.org).select()} == {"o1", "o7", "waited"}


def test_an_import_waits_for_another_that_is_not_committed(connections, engine, monkeypatch):
    db, other, _ = connections
    if engine.startswith(PORTABLE):  # the connection's own patience is what counts
        impatient(other, engine)
    start(db)
    other.rollback()
    for module, name, value in ((sqlite, "LOCK_WAIT_MS", 50), (postgres, "LOCK_WAIT_MS", 50), (mysql, "LOCK_WAIT_S", 1)):
        monkeypatch.setattr(module, name, value)
    with pytest.raises(StoreBusy):
        start(other)
    other.rollback()
    db.commit()
    assert take(other, FILE, "theirs").counts == Counts(same=4)


def test_an_import_sees_what_was_committed_since_its_transaction_began(connections):
    db, other, _ = connections
    assert other(other.org).count() == 1
    take(db, FILE, "theirs")
    report = start(other)
    other.commit()
    assert report.counts == Counts(same=4)
    assert other(other.org).count() == other(other.person).count() == 2


def test_a_new_record_of_another_is_found_by_its_reference(connections):
    """As above, with references to a table that is not in the file."""
    db, other, _ = connections
    assert other(other.org).count() == 1
    db.org.insert(uuid="o5")
    db.commit()
    text = csv_file(("person", "id,uuid,org,org.uuid", "1,p5,5,o5"))
    assert start(other, text).counts == Counts(new=1)
    other.commit()
    assert other.org(other.person(uuid="p5").org).uuid == "o5"


# ---- errors at the last moment

GUARDS = {
    "sqlite": "CREATE TRIGGER guard BEFORE INSERT ON org WHEN NEW.name = 'New 7' BEGIN SELECT RAISE(ABORT, 'guarded'); END",
    "postgres": "ALTER TABLE org ADD CONSTRAINT guarded CHECK (name <> 'New 7')",
    "mysql": "ALTER TABLE org ADD CONSTRAINT guarded CHECK (name <> 'New 7')",
}


def test_a_rule_of_the_database_s_own(connections, engine):
    db, other, _ = connections
    other.rollback()
    db.executesql(GUARDS[plain(engine)])
    db.commit()
    db.org.insert(uuid="pending")
    with pytest.raises(StoreError, match="guarded") as caught:
        start(db)
    assert (caught.value.table, str(caught.value)[:11]) == ("org", "table org: ")
    assert {row.uuid for row in db(db.org).select()} == {"o1", "pending"}
    assert start(db, FILE.replace("New 7", "Seven")).counts == Counts(new=2, changed=2)
    db.commit()
    assert {row.uuid for row in other(other.org).select()} == {"o1", "o7", "pending"}


def test_a_record_that_a_callback_puts_in_the_way(connections):
    db, *_ = connections
    db.org.insert(uuid="pending")
    db.org._before_insert.append(lambda row: db.executesql(f"INSERT INTO org (id, uuid) VALUES (99, '{row['uuid']}')"))
    with pytest.raises(StoreError) as caught:
        start(db)
    assert caught.value.table == "org"
    db.org._before_insert.pop()
    assert {row.uuid for row in db(db.org).select()} == {"o1", "pending"}
    assert start(db).counts == Counts(new=2, changed=2)
    db.commit()


def test_a_default_that_may_be_there_once(new_db):
    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("code", length=64, unique=True, default="x"))

    db = new_db(define)
    db.t.insert(uuid="pending", code="y")
    with pytest.raises(StoreError) as caught:
        start(db, csv_file(("t", "id,uuid", "1,a", "2,b")))
    assert caught.value.table == "t"
    assert [row.uuid for row in db(db.t).select()] == ["pending"]


@pytest.mark.parametrize("engine", ["postgres"])
def test_a_transaction_that_cannot_see_what_was_committed_since_is_refused(connections):
    db, other, _ = connections
    other.rollback()
    other.executesql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    assert other(other.org).count() == 1
    text = csv_file(("org", "id,uuid,name", "7,o7,New 7"))
    assert take(db, text).counts == Counts(new=1)
    with pytest.raises(StoreError, match="repeatable read"):
        take(other, text)
    other.rollback()
    assert take(other, text).counts == Counts(same=1)
