"""Empty databases to test on: SQLite in memory, PostgreSQL and MariaDB where they answer.

Addresses come from PG_HOST, PG_PORT, PG_USER and MY_HOST, MY_PORT, MY_USER, MY_PASSWORD. A server that does
not answer skips the test, or fails it when SYNC_REQUIRE=all.
"""

import atexit
import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pymysql
import pytest
from pydal import DAL

from plugin_sync.stores import mysql

FULL = os.environ.get("SYNC_REQUIRE") == "all"  # nothing may be skipped, everything is tried at length
ENGINES = ("sqlite", "postgres", "mysql")
PORTABLE = "portable-"  # before the name of an engine: reached through pyDAL alone, as if there were no store for it
STORES = (*ENGINES, "portable-sqlite", "portable-postgres")  # what the contract of stores is held to
INFILE = "mysql-infile"  # MariaDB through a connection that allows LOAD DATA LOCAL, which then brings every row
LOADERS = (*STORES, INFILE)  # every way of a store to take rows


def missing(what: str) -> None:
    """Skip the running test for want of `what`, or fail it when everything is required."""
    if FULL:
        pytest.fail(f"SYNC_REQUIRE=all, but {what}")
    pytest.skip(what)


@contextmanager
def shared_database(engine: str) -> Iterator[tuple[str, str]]:
    """Give address and folder of a new, empty database that several processes can open; SQLite's is a file."""
    with database_uri(engine) as uri, tempfile.TemporaryDirectory() as folder:
        yield ("sqlite://shared.sqlite" if plain(engine) == "sqlite" else uri), folder


def plain(engine: str) -> str:
    """Return the engine of a database, whichever store serves it."""
    return engine.removeprefix(PORTABLE)


@contextmanager
def database_uri(engine: str) -> Iterator[str]:
    """Give the pyDAL address of a new, empty database, dropped afterwards; SQLite's lives in memory."""
    makers = {"sqlite": _sqlite, "postgres": _postgres, "mysql": _mysql, INFILE: _mysql}
    with makers[plain(engine)]() as uri:
        yield uri


@contextmanager
def database(engine: str) -> Iterator[DAL]:
    """Give a connection to a new, empty database."""
    with database_uri(engine) as uri, tempfile.TemporaryDirectory() as folder:
        few = mysql.FEW
        mysql.FEW = 0 if engine == INFILE else few
        db = connect(uri, folder, local_infile=engine == INFILE)
        try:
            yield db
        finally:
            mysql.FEW = few
            db.rollback()
            db.close()


def connect(uri: str, folder: str | os.PathLike[str], local_infile: bool = False) -> DAL:
    """Open a connection of its own; pyDAL keeps its table files in `folder`."""
    options = {"local_infile": True} if local_infile else {}
    return DAL(uri, pool_size=0, attempts=1, folder=str(folder), driver_args=options)


@contextmanager
def _sqlite() -> Iterator[str]:
    yield "sqlite:memory"


@contextmanager
def _postgres() -> Iterator[str]:
    host, port = os.environ.get("PG_HOST", "127.0.0.1"), os.environ.get("PG_PORT", "5432")
    user, name = os.environ.get("PG_USER", "postgres"), _name()
    try:
        admin = psycopg2.connect(host=host, port=port, user=user, dbname="postgres", connect_timeout=3)
    except psycopg2.OperationalError as exc:
        missing(f"PostgreSQL does not answer at {host}:{port}: {exc}")
    admin.autocommit = True
    try:
        name = _used.pop() if _used else name
        if name not in _made:
            admin.cursor().execute(f"CREATE DATABASE {name}")
            if not _made:
                atexit.register(_drop, admin.dsn)
            _made.append(name)
        try:
            yield f"postgres://{user}:@{host}:{port}/{name}"
        finally:
            _emptied(admin, name)
    finally:
        admin.close()


_made: list[str] = []  # PostgreSQL databases of this process: making one waits for a checkpoint, so they are used again
_used: list[str] = []


def _emptied(admin: psycopg2.extensions.connection, name: str) -> None:
    """Take everything out of a database, whoever is still connected to it."""
    admin.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    with contextlib.closing(psycopg2.connect(admin.dsn, dbname=name)) as inside:
        inside.cursor().execute("DROP SCHEMA public CASCADE")
        inside.cursor().execute("CREATE SCHEMA public")
        inside.commit()
    _used.append(name)


def _drop(dsn: str) -> None:
    with contextlib.closing(psycopg2.connect(dsn)) as admin:
        admin.autocommit = True
        for name in _made:
            admin.cursor().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def _mysql() -> Iterator[str]:
    host, port = os.environ.get("MY_HOST", "127.0.0.1"), os.environ.get("MY_PORT", "3306")
    user, password, name = os.environ.get("MY_USER", "root"), os.environ.get("MY_PASSWORD", ""), _name()
    try:
        admin = pymysql.connect(host=host, port=int(port), user=user, password=password, connect_timeout=3)
    except pymysql.err.OperationalError as exc:
        missing(f"MariaDB does not answer at {host}:{port}: {exc}")
    try:
        admin.cursor().execute(f"CREATE DATABASE {name}")
        yield f"mysql:pymysql://{user}:{password}@{host}:{port}/{name}"
    finally:
        admin.cursor().execute(f"DROP DATABASE IF EXISTS {name}")
        admin.close()


def _name() -> str:
    return f"plugin_sync_test_{uuid.uuid4().hex[:12]}"
